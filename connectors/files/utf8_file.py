"""What are the bytes of a file, as UTF-8, read once and fingerprinted on the way?"""

from __future__ import annotations

import codecs
import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from connectors.errors import AccessError, RequestError
from connectors.files.settings import UTF8

BLOCK = 16 << 20  # bytes
# seconds: a file that was modified later than this before it was read may change again under the same stamp
_SETTLED = 2.0
BOM = codecs.BOM_UTF8

# What cannot be decoded becomes a byte that is never UTF-8, so that the row is refused and its neighbours are
# not.
codecs.register_error("files.mark", lambda error: ("\udcff", getattr(error, "end", 0)))

Stamp = Sequence[int]  # size, modification time in ns, inode


def stamp_of(path: Path) -> tuple[int, int, int]:
    """Size, modification time and inode of a file.

    Raises RequestError or AccessError where it cannot be read.
    """
    try:
        status = path.stat()
        if path.is_dir():
            raise RequestError(f"{path} is a folder, not a file: move it, or name the files in the config")
        return status.st_size, status.st_mtime_ns, status.st_ino
    except FileNotFoundError:
        raise RequestError(f"{path} does not exist (any more): restore it and run again") from None
    except OSError as error:
        raise AccessError(f"{path} cannot be read: {error.strerror}") from error


def settled(stamp: Stamp) -> bool:
    """Whether the stamp of a file that is read now will tell every later change."""
    return time.time() - stamp[1] / 1e9 >= _SETTLED


def digest_of(path: Path, size: int) -> str:
    """Fingerprint of the first ``size`` bytes of a file."""
    with Source(path, UTF8, size) as source:
        source.hash_to(size)
        return source.digest()


class Source:
    """The first ``size`` bytes of a file, decoded; every byte passes the fingerprint once, where one is
    wanted.
    """

    def __init__(self, path: Path, encoding: str, size: int, fingerprint: bool = True) -> None:
        try:
            self._file: BinaryIO = path.open("rb")
        except IsADirectoryError:
            raise RequestError(
                f"{path} is a folder, not a file: move it, or name the files in the config"
            ) from None
        except FileNotFoundError:
            raise RequestError(f"{path} does not exist (any more): restore it and run again") from None
        except OSError as error:
            raise AccessError(f"{path} cannot be read: {error.strerror}") from error
        self.path, self.encoding, self.size = path, encoding, size
        self.hashed = 0 if fingerprint else size  # bytes of the file that the fingerprint covers
        self._hash = hashlib.blake2b(digest_size=16)
        self._decoder = None if encoding == UTF8 else codecs.getincrementaldecoder(encoding)("files.mark")
        self._ended = False
        self._pending = b""

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def digest(self) -> str:
        """Fingerprint of the first ``hashed`` bytes."""
        return self._hash.hexdigest()

    def hash_to(self, position: int) -> None:
        """Fingerprint up to a position without decoding."""
        while self.hashed < position and self._raw(min(BLOCK, position - self._file.tell())):
            pass

    def rewind(self, offset: int) -> None:
        """Go to an offset of the decoded text; 0 is after a byte order mark."""
        self._ended = False
        if self._decoder is None:
            self._file.seek(0)
            mark = len(BOM) if self._file.read(len(BOM)) == BOM else 0
            self._file.seek(min(offset + mark, self.size) if offset else min(mark, self.size))
            if self._file.tell() > self.hashed:
                self._file.seek(self.hashed)
                self.hash_to(min(offset + mark, self.size))
            return
        self._file.seek(0)
        self._decoder.reset()
        self._pending = b""
        while offset > 0 and (text := self.read()):
            self._pending, offset = text[offset:], offset - len(text)

    def read(self, size: int = BLOCK) -> bytes:
        """The next bytes of text as UTF-8, about ``size`` of them; empty at the end."""
        if self._decoder is None:
            return self._raw(size)
        text, self._pending = self._pending[:size], self._pending[size:]
        while not text and not self._ended:
            raw = self._raw(size)
            self._ended = not raw
            try:
                text = self._decoder.decode(raw, final=self._ended).encode(UTF8, "surrogatepass")
            except UnicodeError as error:
                what = f"{self.path.name} is not in the encoding {self.encoding} ({error})"
                raise RequestError(f"{what}: set encoding, such as utf-8, cp1252 or utf-16-le") from error
        return text

    def _raw(self, size: int) -> bytes:
        at = self._file.tell()
        try:
            raw = self._file.read(max(0, min(size, self.size - at)))
        except OSError as error:
            raise AccessError(
                f"{self.path} cannot be read: {error.strerror or os.strerror(error.errno or 0)}"
            ) from error
        if at + len(raw) > self.hashed >= at:
            self._hash.update(memoryview(raw)[self.hashed - at :])
            self.hashed = at + len(raw)
        return raw
