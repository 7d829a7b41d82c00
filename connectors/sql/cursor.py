"""How far has a stream been read? The position names no record: times and hashes of rows alone."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from connectors.sql.address import DatabaseAddress
from connectors.sql.layout import Layout, StreamSource

_FORM = 1  # of what is read out of a row: a change makes every position void


@dataclass(frozen=True)
class Progress:
    """How far one stream has been read. Times are microseconds since 1970 of the column of changes."""

    form: str  # what it was read as: of another form, it is read again
    digest: str = ""  # of the whole content, where nothing tells which rows changed
    top: int | None = None  # latest change that was read
    floor: int | None = None  # the next reading of changes begins here
    swept: float = 0  # when the last reading of all rows began (Unix seconds of our clock)
    began: float = 0  # of a reading of all rows that is not finished: when it began
    line: int = 0  # rows that this reading has delivered
    seen: str = ""  # rows delivered since ``floor``; see SeenRows

    @property
    def finished(self) -> bool:
        """Whether all rows were read once."""
        return self.swept > 0 and not self.began

    def dumps(self) -> str:
        """As text."""
        return json.dumps(asdict(self))


def loads(text: str | None, form: str) -> Progress:
    """The progress; from the beginning where there is none, or it is of another form."""
    try:
        progress = Progress(**json.loads(text or "{}"))
    except (ValueError, TypeError):
        return Progress(form)
    return progress if progress.form == form else Progress(form)


def form_of(stream: StreamSource, layout: Layout, address: DatabaseAddress) -> str:
    """What changes as soon as the same rows would be read differently: settings, columns and their types, and
    another database. No secret is in it.
    """
    account = stream.account
    habits, rows = stream.habits(), stream.rows.model_dump(mode="json")
    facts = [
        _FORM, address.digest, stream.stream, rows, habits.as_json(), layout.types, account.consent_basis, account.time_zone,
        account.currency, {name: dict(days) for name, days in account.rates.items()},
        {name: asdict(wanted) for name, wanted in account.attributes.items()} if stream.stream != "activity" else None,
    ]  # fmt: skip
    text = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
