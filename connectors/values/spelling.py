"""Are two texts the same to people? Case, blanks around and the way in which an accent is stored do not tell
them apart.

CRMs' own filters compare so too. What people read keeps the spelling that the CRM holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from unicodedata import normalize

import pyarrow as pa
import pyarrow.compute as pc

from connectors.values.folding import comparable, folded
from connectors.values.text import letters_of, trimmed

_BETWEEN = r"\s*;\s*"  # elements of a set


def as_compared(texts: pa.Array) -> pa.Array:
    """``comparable`` of each text; null where nothing is left."""
    return _without_empty(_each(trimmed(texts), folded, pc.ascii_lower))


def as_shown(texts: pa.Array) -> pa.Array:
    """Each text as people read it: composed, without blanks around; null where nothing is left."""
    return _without_empty(_each(trimmed(texts), lambda text: normalize("NFC", text), lambda plain: plain))


def elements(texts: pa.Array) -> pa.Array:
    """Sets (``a; b ;c``) without blanks between their elements."""
    return pc.replace_substring_regex(texts, _BETWEEN, ";")


def found_in(texts: pa.Array, values: Sequence[str], exact: bool = False) -> pa.Array:
    """Each text as the value that it spells; null where it spells none.

    ``exact``: letter by letter, but for blanks around.
    """
    read = trimmed(texts) if exact else as_compared(texts)
    keys = pa.array(values if exact else [comparable(value) for value in values], pa.string())
    return pa.array(values, pa.string()).take(pc.index_in(read, keys))


def _each(
    texts: pa.Array, change: Callable[[str], str], change_ascii: Callable[[pa.Array], pa.Array]
) -> pa.Array:
    """Texts changed; those that hold ASCII alone by Arrow, the others each once."""
    letters = letters_of(texts)
    if not len(letters) or letters.max() < 128:
        return change_ascii(texts)
    codes = texts.dictionary_encode()
    changed = [None if text is None else change(text).strip() for text in codes.dictionary.to_pylist()]
    return pa.array(changed, pa.string()).take(codes.indices)


def _without_empty(texts: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
