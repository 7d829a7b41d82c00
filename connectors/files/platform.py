"""Which platform wrote an export, and what do its columns and words mean?

A description is data: ``platforms/NAME.toml``, or a file of the user's own in the same form. It gives a
header signature, the columns by our names, the status words that count, the consent words, and further
settings of the account's table. Nothing is guessed here: a file is recognised by headers that must all be
there.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from connectors.errors import RequestError
from connectors.files.settings import ActivityTable, RecordTable
from connectors.tables.column_mapping import ACTIVITY_NAMES, RECORD_NAMES
from connectors.tables.settings import Header, Statuses, Words

Stream = Literal["contact", "lead", "company", "activity"]
_OWN_KEYS = ("files", "columns", "status", "words")  # of an account's table: not among the further settings


def _alternatives(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Page = Annotated[str, Field(pattern=r"^https://\S+$")]
Headers = Annotated[tuple[Header, ...], BeforeValidator(_alternatives), Field(min_length=1)]


class StatusWords(Statuses):
    """Which words of a status column make a row count. Where a word is in no list, the row is refused."""

    asked: list[str] = Field(default_factory=list)  # unclear: the user is asked; left out until they decide

    @model_validator(mode="after")
    def _apart(self) -> StatusWords:
        _refuse_overlap({"counted": self.counted, "left_out": self.left_out, "asked": self.asked})
        return self

    def decided(self) -> Statuses:
        """As a config holds them, before the user decides otherwise: words to ask about leave their row out."""
        return Statuses(counted=self.counted, left_out=[*self.left_out, *self.asked])


class ConsentWords(Words):
    """What the words of a column mean that says yes or no."""

    @model_validator(mode="after")
    def _apart(self) -> ConsentWords:
        _refuse_overlap({"yes": self.yes, "no": self.no, "unknown": self.unknown})
        return self


class PlatformTable(BaseModel):
    """One kind of export file of a platform."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    stream: Stream
    title: str
    documentation: list[Page] = Field(default_factory=list)  # further pages, for this kind of file alone
    signature: Headers  # all must be in the file
    unlike: tuple[Header, ...] = ()  # none may be in the file
    amounts: str = ""  # what an amount holds, in words for the user
    columns: dict[str, Headers] = Field(default_factory=dict)  # our name → their headers, best first
    status: dict[Header, StatusWords] = Field(default_factory=dict)  # a row must count in each
    words: dict[str, ConsentWords] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)  # further keys of the account's table

    @model_validator(mode="after")
    def _settings_are_those_of_the_stream(self) -> PlatformTable:
        activity = self.stream == "activity"
        names = ACTIVITY_NAMES if activity else RECORD_NAMES
        for key, mapping in (("columns", self.columns), ("words", self.words)):
            for name in mapping:
                if name not in names:
                    valid = f"our names are {', '.join(names)}"
                    raise ValueError(f"{key}.{name}: is no column of ours for {self.stream}; {valid}")
        if activity and self.words:
            raise ValueError("words: are for contacts, leads and companies; an activity has status words")
        if not activity and self.status:
            raise ValueError("status: is for activities; a record has consent words")
        if activity and not self.amounts:
            raise ValueError('amounts: is missing; say what an amount holds, such as "with tax and shipping"')
        for key in _OWN_KEYS:
            if key in self.settings:
                raise ValueError(f"settings.{key}: stands beside settings, not in it")
        try:
            (ActivityTable if activity else RecordTable).model_validate(self.settings)
        except ValidationError as error:
            raise ValueError("; ".join(_faults(error, ("settings",)))) from None
        return self

    def fits(self, headers: Iterable[str]) -> bool:
        """Are all headers of the signature there, and none of ``unlike``? Letter case does not matter."""
        present = {_folded(header) for header in headers}
        wanted, unwanted = map(_folded, self.signature), map(_folded, self.unlike)
        return present.issuperset(wanted) and present.isdisjoint(unwanted)

    def resolved(self, headers: Sequence[str]) -> ActivityTable | RecordTable:
        """The settings of an account's table for a file with these headers, without ``files``.

        Of several headers of a column the first that the file has is taken, as the file spells it; columns
        and status columns that it does not have are left out. Where further files are joined, they may hold
        the column: its first header stays. Words that the user is to be asked about leave their row out.
        """
        spelling = {_folded(header): header.strip() for header in reversed(headers)}
        joined = bool(self.settings.get("join"))
        columns = {}
        for name, alternatives in self.columns.items():
            present = [spelling[_folded(header)] for header in alternatives if _folded(header) in spelling]
            if present or joined:
                columns[name] = present[0] if present else alternatives[0]
        if self.stream == "activity":
            status = {
                spelling.get(_folded(header), header): words.decided()
                for header, words in self.status.items()
                if joined or _folded(header) in spelling
            }
            return ActivityTable.model_validate({**self.settings, "columns": columns, "status": status})
        used = {name: words for name, words in self.words.items() if name in columns}
        consent = {
            name: Words(yes=words.yes, no=words.no, unknown=words.unknown) for name, words in used.items()
        }
        return RecordTable.model_validate({**self.settings, "columns": columns, "words": consent})


class Platform(BaseModel):
    """A platform whose exports are known by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    title: str
    documentation: list[Page] = Field(default_factory=list)
    tables: Annotated[tuple[PlatformTable, ...], Field(min_length=1)]


@lru_cache(maxsize=1)
def load() -> tuple[Platform, ...]:
    """The descriptions that ship with the package, by name."""
    folder = resources.files("connectors.files.platforms")
    sources = {source.name: source for source in folder.iterdir() if source.name.endswith(".toml")}
    return tuple(
        _parsed(name, source.read_text(encoding="utf-8")) for name, source in sorted(sources.items())
    )


def load_file(path: Path) -> Platform:
    """A description of the user's own. Raises RequestError that names the file and every key that is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{path} cannot be read as a description of a platform: {error}") from error
    return _parsed(str(path), text)


def recognise(headers: Sequence[str], platforms: Sequence[Platform]) -> list[tuple[Platform, PlatformTable]]:
    """The tables whose signature a file with these headers carries: those with the longest one that fits.

    None: the file is unknown. Several: it is ambiguous, and the user is to be asked.
    """
    fitting = [
        (platform, table) for platform in platforms for table in platform.tables if table.fits(headers)
    ]
    longest = max((len(table.signature) for _, table in fitting), default=0)
    return [(platform, table) for platform, table in fitting if len(table.signature) == longest]


def _folded(header: str) -> str:
    return header.strip().casefold()


def _refuse_overlap(lists: Mapping[str, Sequence[str]]) -> None:
    owner: dict[str, str] = {}
    for name, words in lists.items():
        for word in map(_folded, words):
            if word in owner:
                raise ValueError(
                    f"{word!r} stands in {owner[word]} and in {name}; letter case does not matter"
                )
            owner[word] = name


def _parsed(source: str, text: str) -> Platform:
    try:
        return Platform.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise RequestError(f"{source} is no TOML: {error}") from None
    except ValidationError as error:
        raise RequestError("\n".join(f"{source}: {fault}" for fault in _faults(error))) from None


def _faults(error: ValidationError, above: Sequence[str | int] = ()) -> list[str]:
    return [f"{_dotted([*above, *fault['loc']])}: {_sentence(fault)}" for fault in error.errors()]


def _dotted(path: Sequence[str | int]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def _sentence(fault: ErrorDetails) -> str:
    plain = {"extra_forbidden": "there is no such key", "missing": "is missing"}
    return plain.get(fault["type"], fault["msg"].removeprefix("Value error, "))
