"""How does a value stand in a cell that a spreadsheet will open, and what does such a cell say?

A text that a spreadsheet would run as a formula gets one more apostrophe in front, and reading takes one
away, so every text comes back as it was.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectors.values.text import NUMBER

Places = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
_GUARDED = r"^'+[=+\-@\t\r]"
_FORMULA = r"^'*[=+\-@\t\r]"


_PHONE = r"^\+[0-9][0-9 ()./\-]*$"  # nothing that a spreadsheet would call


def guarded_unless_phone(texts: pa.Array) -> pa.Array:
    """As ``guarded``, but ``+49 30 123`` stays as it is, for those who dial it."""
    return pc.if_else(pc.match_substring_regex(texts, _PHONE), texts, guarded(texts))


def guarded(texts: pa.Array, *, number: bool = False) -> pa.Array:
    """Texts as they are safe in a spreadsheet. Numbers of a number field stay as they are."""
    risky = pc.match_substring_regex(texts, _FORMULA)
    if number:
        risky = pc.and_not(risky, pc.match_substring_regex(texts, NUMBER))
    if not pc.any(risky).as_py():
        return texts
    return pc.if_else(risky, pc.binary_join_element_wise("'", texts, ""), texts)


def bared(texts: pa.Array) -> pa.Array:
    """What guarded texts say."""
    safe = pc.match_substring_regex(texts, _GUARDED)
    return pc.if_else(safe, pc.utf8_slice_codeunits(texts, 1), texts) if pc.any(safe).as_py() else texts


def must_quote(texts: pa.Array, delimiter: str) -> Mask:
    """Which texts cannot stand in a cell without quotes."""
    mask = np.zeros(len(texts), np.bool_)
    for mark in (delimiter, '"', "\n", "\r"):
        mask |= pc.fill_null(pc.match_substring(texts, mark), False).to_numpy(zero_copy_only=False)
    return mask


def spelled(texts: pa.Array, quoted: Mask, delimiter: str) -> pa.Array:
    """Texts as cells, in quotes where asked for or needed."""
    wanted = pa.array(quoted | must_quote(texts, delimiter))
    if not pc.any(wanted).as_py():
        return texts
    return pc.if_else(
        wanted, pc.binary_join_element_wise('"', pc.replace_substring(texts, '"', '""'), '"', ""), texts
    )


def gathered(text: bytes, starts: Places, ends: Places) -> pa.Array:
    """The pieces of a text between places that ascend, as strings; null where they are no UTF-8."""
    if not len(starts):
        return pa.array([], pa.string())
    offsets = np.empty(2 * len(starts), np.int64)
    offsets[0::2], offsets[1::2] = starts, ends
    pieces = pa.Array.from_buffers(
        pa.large_binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(text)]
    )
    raw = pieces.take(pa.array(np.arange(0, len(offsets), 2))).cast(pa.binary())
    texts = raw.view(pa.string())
    try:
        texts.validate(full=True)
        return texts
    except pa.ArrowInvalid:
        return pa.array([_decoded(cell) for cell in raw.to_pylist()], pa.string())


def _decoded(cell: bytes) -> str | None:
    try:
        return cell.decode()
    except UnicodeDecodeError:
        return None


def unquoted(raw: pa.Array) -> pa.Array:
    """Cells without their quotes."""
    quoted = pc.starts_with(raw, '"')
    if not pc.any(quoted).as_py():
        return raw
    return pc.if_else(quoted, pc.replace_substring(pc.utf8_slice_codeunits(raw, 1, -1), '""', '"'), raw)


def spliced(text: bytes, starts: Places, ends: Places, pieces: list[bytes]) -> bytes:
    """A text with other pieces between the given places, which ascend and do not overlap."""
    if not pieces:
        return text
    offsets = np.empty(2 * len(starts) + 2, np.int64)
    offsets[0], offsets[-1] = 0, len(text)
    offsets[1:-1:2], offsets[2:-1:2] = starts, ends
    kept = pa.Array.from_buffers(
        pa.large_binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(text)]
    )
    parts: list[bytes] = [b""] * (2 * len(starts) + 1)
    parts[0::2] = kept.take(pa.array(np.arange(0, len(offsets) - 1, 2))).to_pylist()
    parts[1::2] = pieces
    return b"".join(parts)
