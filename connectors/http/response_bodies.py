"""Did the whole answer arrive? Bodies of HTTP answers, read to their end or refused.

A body that was cut off may look whole: a CSV ends at a line, and gzip's missing end goes unnoticed in
urllib3. So the bytes are counted against what was promised, and compressed ones are decoded to their own end
mark.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import requests
import urllib3

from connectors.errors import TemporaryError

_EITHER = 47  # zlib's window bits: the header tells gzip from zlib
_GZIP = b"\x1f"  # first byte of a member


class CutError(TemporaryError):
    """The answer ended before its end."""


def read(response: requests.Response, seconds: float) -> None:
    """Read the body into ``response.content``; CutError: it is not whole, or not in after so many seconds."""
    response._content = b"".join(chunks(response, deadline=time.monotonic() + seconds))
    response._content_consumed = True  # type: ignore[attr-defined]


def chunks(
    response: requests.Response, size: int = 1 << 16, deadline: float | None = None
) -> Iterator[bytes]:
    """The decoded body of a streamed answer, piece by piece; CutError where it ends too early.

    Closes the answer.
    """
    try:
        decode, ended = _decoder(response)
        for piece in _raw(response, size, deadline):
            if plain := decode(piece):
                yield plain
        if not ended():
            raise CutError("The CRM's answer was cut off; try again.")
        response.raw.release_conn()
    finally:
        response.close()


def _raw(response: requests.Response, size: int, deadline: float | None) -> Iterator[bytes]:
    raw = response.raw
    # read1 (urllib3 2) comes back with what is there, so that a deadline can be kept
    take = getattr(raw, "read1", raw.read)
    try:
        while piece := take(size, decode_content=False):
            yield piece
            if deadline is not None and time.monotonic() > deadline:
                raise CutError("The CRM's answer came too slowly; try again.")
    except (urllib3.exceptions.HTTPError, OSError) as error:
        late = isinstance(error, urllib3.exceptions.ReadTimeoutError)
        raise CutError(
            f"The CRM's answer {'came too slowly' if late else 'was cut off'}; try again."
        ) from None
    promised = response.headers.get("Content-Length", "")
    if (
        promised.isdigit()
        and response.request.method != "HEAD"
        and raw.tell() < int(promised)
        and response.status_code not in (204, 304)
    ):
        raise CutError("The CRM's answer was cut off; try again.")


def _decoder(response: requests.Response) -> tuple[Callable[[bytes], bytes], Callable[[], bool]]:
    """What decodes the next piece, and what tells whether the compressed text had its end."""
    if response.headers.get("Content-Encoding", "").strip().lower() not in ("gzip", "x-gzip", "deflate"):
        return bytes, lambda: True
    member = zlib.decompressobj(_EITHER)
    begun = False

    def decode(piece: bytes) -> bytes:
        nonlocal member, begun
        begun = begun or bool(piece)
        try:
            whole = member.decompress(piece)
            while (
                member.unused_data[:1] == _GZIP
            ):  # several members may follow each other; anything else is padding
                remaining = member.unused_data
                member = zlib.decompressobj(_EITHER)
                whole += member.decompress(remaining)
        except zlib.error:
            raise CutError("The CRM's answer cannot be decompressed; try again.") from None
        return whole

    return decode, lambda: member.eof or not begun


def decoded(response: requests.Response) -> Any:
    """The JSON of an answer, or None where there is none; what ``is_json`` decoded already is not
    decoded again.
    """
    kept = vars(response).get("decoded")
    if kept is not None or not response.content:
        return kept
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return None


def is_json(response: requests.Response) -> bool:
    """Whether the body is JSON to its end, which a proxy may cut off. It is kept: ``decoded`` decodes it no
    more.
    """
    try:
        vars(response)["decoded"] = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return False
    return True
