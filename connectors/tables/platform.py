"""How does a platform name the columns of its contacts and orders, and which of its words count? Of exports and of
tables in a database alike.

A description is data: ``platforms/NAME.toml``, or a file of the user's own in the same form. ``tables`` are
exports, which ``connectors.files.platform`` reads; ``landed`` are tables of a database, which
``connectors.sql.landed`` reads. Nothing is guessed here: a table is recognised by headers that must all be there.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from connectors.errors import RequestError
from connectors.tables.column_mapping import ACTIVITY_NAMES, RECORD_NAMES
from connectors.tables.settings import Header, Statuses, Words, one_or_several

Stream = Literal["contact", "lead", "company", "activity"]
Page = Annotated[str, Field(pattern=r"^https://\S+$")]
Headers = Annotated[tuple[Header, ...], BeforeValidator(one_or_several), Field(min_length=1)]


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

    def plain(self) -> Words:
        """As a config holds them."""
        return Words(yes=self.yes, no=self.no, unknown=self.unknown)


class TableDescription(BaseModel):
    """One kind of table of a platform, whether it is a file or stands in a database."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    stream: Stream
    title: str
    documentation: list[Page] = Field(default_factory=list)  # further pages, for this kind of table alone
    signature: Headers  # all must be in the table
    unlike: tuple[Header, ...] = ()  # none may be in the table
    amounts: str = ""  # what an amount holds, in words for the user
    columns: dict[str, Headers] = Field(default_factory=dict)  # our name → their headers, best first
    status: dict[Header, StatusWords] = Field(default_factory=dict)  # a row must count in each
    words: dict[str, ConsentWords] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)  # further keys of the account's table

    @model_validator(mode="after")
    def _names_are_those_of_the_stream(self) -> TableDescription:
        activity = self.stream == "activity"
        names = ACTIVITY_NAMES if activity else RECORD_NAMES
        for key, mapping in (("columns", self.columns), ("words", self.words)):
            for name in mapping:
                if name not in names:
                    valid = f"our names are {', '.join(names)}"
                    raise ValueError(f"{key}.{name}: is not a column for {self.stream}; {valid}")
        if activity and self.words:
            raise ValueError("words: are for contacts, leads and companies; an activity has status words")
        if not activity and self.status:
            raise ValueError("status: is for activities; a record has consent words")
        if activity and not self.amounts:
            raise ValueError('amounts: is missing; say what an amount holds, such as "with tax and shipping"')
        return self

    def fits(self, headers: Iterable[str]) -> bool:
        """Are all headers of the signature there, and none of ``unlike``? Letter case does not matter."""
        present = {folded(header) for header in headers}
        wanted, unwanted = map(folded, self.signature), map(folded, self.unlike)
        return present.issuperset(wanted) and present.isdisjoint(unwanted)


class PlatformDescription(BaseModel):
    """A platform whose tables are known by name. A reader of one kind of tables leaves the other kind alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    title: str
    documentation: list[Page] = Field(default_factory=list)
    tables: Any = ()
    landed: Any = ()


P = TypeVar("P", bound=PlatformDescription)


def shipped(kind: type[P]) -> tuple[P, ...]:
    """The descriptions that ship with the package, by name."""
    folder = resources.files("connectors.tables.platforms")
    sources = {source.name: source for source in folder.iterdir() if source.name.endswith(".toml")}
    return tuple(
        _parsed(kind, name, source.read_text(encoding="utf-8")) for name, source in sorted(sources.items())
    )


def described(kind: type[P], path: Path) -> P:
    """A description of the user's own. Raises RequestError that names the file and every key that is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{path} cannot be read as a description of a platform: {error}") from error
    return _parsed(kind, str(path), text)


def folded(header: str) -> str:
    """A header as it is compared."""
    return header.strip().casefold()


def faults_of(error: ValidationError, above: Sequence[str | int] = ()) -> list[str]:
    """Every fault, with the key where it is. ``above``: the keys that lead to what was validated."""
    return [f"{_dotted([*above, *fault['loc']])}: {_sentence(fault)}" for fault in error.errors()]


def _refuse_overlap(lists: Mapping[str, Sequence[str]]) -> None:
    owner: dict[str, str] = {}
    for name, words in lists.items():
        for word in map(folded, words):
            if word in owner:
                raise ValueError(
                    f"{word!r} stands in {owner[word]} and in {name}; letter case does not matter"
                )
            owner[word] = name


def _parsed(kind: type[P], source: str, text: str) -> P:
    try:
        return kind.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise RequestError(f"{source} is no TOML: {error}") from None
    except ValidationError as error:
        raise RequestError("\n".join(f"{source}: {fault}" for fault in faults_of(error))) from None


def _dotted(path: Sequence[str | int]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def _sentence(fault: ErrorDetails) -> str:
    plain = {"extra_forbidden": "there is no such key", "missing": "is missing"}
    return plain.get(fault["type"], fault["msg"].removeprefix("Value error, "))
