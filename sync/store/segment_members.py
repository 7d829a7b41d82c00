"""Who is in a segment, and what do we know of them that a file may hold?"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from connectors.schemas import ATTRIBUTE, SPELLING
from sync.store import activity_owner, actual
from sync.store.features_table import kept_features
from sync.store.label_rows import purchase_columns
from sync.store.mirror import AccountMirror, literal, quoted
from sync.store.relation import Relation

# Name of a column → SQL on a person (``people``), their number in the CRM's records, and their label.
OF_RECORD = {"id": "people.id", "record_type": "people.record_type"}
OF_PERSON = {
    "email": "people.email",
    "phone": "people.phones[1]",
    "name": "people.name",
    "first_name": "people.first_name",
    "last_name": "people.last_name",
    "country": "people.country",
}
OF_LABEL = {name: f"labels.{name}" for name in ("segment", "since", "previous", "score", "reason")}
OF_PURCHASES = tuple(purchase_columns(0))  # of which there are none before the first labelling
COLUMNS = (*OF_RECORD, *OF_PERSON, *OF_LABEL, *OF_PURCHASES)


@dataclass(frozen=True)
class Members:
    """The records that a segment holds, by why some of them are left out of a file."""

    people: Relation  # those of the account who do not object, with their attributes
    labels: Relation
    segment: str
    left_out: Mapping[
        str, Relation | str
    ]  # why → records, or a condition on ``ids``; the first that holds counts

    def counts(self, mirror: AccountMirror) -> dict[str, int]:
        """Why → how many; ``""``: those that are in the file."""
        sql = f"SELECT why, count(*) FROM ({self._judged()}) GROUP BY why"
        return dict(mirror.rows(sql))

    def rows(self, mirror: AccountMirror, columns: Sequence[str], digits: int) -> Relation:
        """Those that are in the file, ordered by type and id; ``digits``: decimals of the currency.

        Names that are none of COLUMNS are attributes.
        """
        known = {**OF_RECORD, **OF_PERSON, **OF_LABEL, **purchase_columns(digits)}
        there = mirror.columns_of(self.people)
        chosen = [f"{known.get(name) or _attribute(name, there)} AS {quoted(name)}" for name in columns]
        features = kept_features(mirror)
        joined = "" if features is None else f"LEFT JOIN ({features}) AS features USING (record)"
        return Relation(
            f"""SELECT {", ".join(chosen)} FROM ({self._judged()}) AS judged JOIN ({self.people}) AS people USING (record)
                JOIN ({self.labels}) AS labels USING (record) {joined}
                WHERE why = '' ORDER BY people.record_type, length(people.id), people.id"""
        )

    def _judged(self) -> str:
        """(record, why) of each record of the segment that is still there."""
        cases = " ".join(
            f"WHEN {f'record IN ({who})' if isinstance(who, Relation) else who} THEN {literal(why)}"
            for why, who in self.left_out.items()
        )
        why = f"CASE {cases} ELSE '' END" if cases else "''"
        return f"""SELECT record, {why} AS why FROM ({self.labels}) AS labels JOIN ids USING (record)
                   WHERE segment = {literal(self.segment)} AND record IN (SELECT record FROM ({self.people}))"""


def reached(
    mirror: AccountMirror,
    people: Relation,
    target: str,
    columns: Sequence[str],
    refused: Sequence[Relation],
    held_out: str,
) -> Relation:
    """(record_type, id, columns) of those who stand in a list, without ``refused`` records and those of whom the
    condition ``held_out`` on ``ids`` is true. Columns: OF_PERSON, else attributes.
    """
    there = mirror.columns_of(people)
    cells = [f"{OF_PERSON.get(name) or _attribute(name, there)} AS {quoted(name)}" for name in columns]
    without = "".join(f" AND record NOT IN ({records})" for records in refused)
    return Relation(
        f"""SELECT people.record_type, people.id{"".join(f", {cell}" for cell in cells)}
            FROM ({people}) AS people JOIN ids USING (record)
            WHERE record IN (SELECT record FROM ({actual.values_in(target)})) AND NOT ({held_out}){without}"""
    )


def filled(mirror: AccountMirror, people: Relation, columns: Collection[str]) -> dict[str, bool]:
    """Which of these columns (OF_PERSON, attributes) somebody has a value in."""
    there = mirror.columns_of(people)
    cells = [
        f"count({OF_PERSON.get(name) or _attribute(name, there)}) > 0 AS {quoted(name)}" for name in columns
    ]
    if not cells:
        return {}
    row: dict[str, bool] = mirror.table(f"SELECT {', '.join(cells)} FROM ({people}) AS people").to_pylist()[0]
    return row


def sharing_address(mirror: AccountMirror, records: Relation) -> Relation:
    """Records that have an e-mail address of one of these, those included that have one."""
    addresses = activity_owner.addresses(mirror)
    theirs = f"SELECT address FROM ({addresses}) WHERE record IN ({records})"
    return Relation(f"SELECT record FROM ({addresses}) WHERE address IN ({theirs})")


def ways_to_reach(mirror: AccountMirror, records: Relation) -> pa.Table:
    """(email, phone, country): every address and every number of these records, a row each."""
    addresses = activity_owner.addresses(mirror)
    return mirror.table(
        f"""WITH chosen AS (SELECT record, unnest(phones) AS phone, country FROM records WHERE record IN ({records}))
            SELECT address AS email, NULL::VARCHAR AS phone, NULL::VARCHAR AS country FROM ({addresses}) WHERE record IN ({records})
            UNION ALL SELECT NULL, phone, country FROM chosen WHERE phone IS NOT NULL"""
    )


def _attribute(name: str, there: Collection[str]) -> str:
    """SQL of an attribute as people write it; nothing where nobody has it."""
    if ATTRIBUTE + name not in there:
        return "NULL::VARCHAR"
    value = f"people.{quoted(ATTRIBUTE + name)}"
    return f"coalesce(people.{quoted(SPELLING + name)}, {value})" if SPELLING + name in there else value


def page(
    mirror: AccountMirror, rows: Relation, searched: Sequence[str], text: str, limit: int, offset: int
) -> dict[str, object]:
    """``rows`` of a page and how many ``match``: those of which a ``searched`` column holds a text, whatever its case."""
    holds = " OR ".join(f"contains(lower({quoted(name)}), lower({literal(text)}))" for name in searched)
    chosen = f"SELECT * FROM ({rows})" + (f" WHERE {holds}" if text else "")
    return {
        "rows": mirror.table(f"{chosen} LIMIT {limit} OFFSET {offset}").to_pylist(),
        "match": mirror.value(f"SELECT count(*) FROM ({chosen})"),
    }
