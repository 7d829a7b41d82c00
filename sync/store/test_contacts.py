"""Which records are test contacts? Those that the config names for an account: they stand in every list of ours, and
count in no figure.

The mirror keeps them in the table ``test_contacts``, and their labels in ``test_labels_NAME``, apart from those of
customers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sync.store import activity_owner
from sync.store.identity_resolution import people
from sync.store.ids import IDS
from sync.store.label_tables import FileTables
from sync.store.mirror import AccountMirror, literal, quoted
from sync.store.relation import Relation

_NOBODY = Relation("SELECT record FROM (SELECT NULL::BIGINT AS record) WHERE false")
_TYPES = "('contact', 'lead')"


def any_test_contacts(mirror: AccountMirror) -> bool:
    """Whether an account has test contacts, as of its last labelling."""
    return mirror.has_table("test_contacts")


def test_contacts(mirror: AccountMirror) -> Relation:
    """(record) of the test contacts of an account, as of its last labelling."""
    if not mirror.has_table("test_contacts"):
        return _NOBODY
    return Relation(f"SELECT record FROM {mirror.schema}.test_contacts")


def fitting(mirror: AccountMirror, named: Sequence[str]) -> dict[str, list[int]]:
    """Id or address, as the config names them → the records that it fits; who was merged is meant by the survivor."""
    return {text: _fitting(mirror, text) for text in named}


def _fitting(mirror: AccountMirror, text: str) -> list[int]:
    address = activity_owner.address_of(literal(text))
    rows = mirror.rows(
        f"""WITH meant AS (SELECT record FROM ids WHERE id = {literal(text)}
                           UNION ALL SELECT record FROM ({activity_owner.addresses(mirror)}) WHERE address = {address})
            SELECT DISTINCT record FROM (SELECT coalesce(survivor, meant.record) AS record FROM meant LEFT JOIN redirects USING (record))
            JOIN (SELECT record, record_type FROM ({people(mirror)})) AS someone USING (record) WHERE record_type IN {_TYPES} ORDER BY 1"""
    )
    return [int(record) for (record,) in rows]


def remember(mirror: AccountMirror, named: Sequence[str]) -> bool:
    """Keep the records that are named, each by a text that fits no other; whether there are any.

    Where they are others than before, labels and features are made again.
    """
    if mirror.read_only or not (named or mirror.has_table("test_contacts")):
        return mirror.has_table("test_contacts")
    fits = fitting(mirror, named)
    records = sorted({records[0] for records in fits.values() if len(records) == 1})
    before = [record for (record,) in mirror.rows(f"SELECT record FROM ({test_contacts(mirror)}) ORDER BY 1")]
    if records != before:
        rows = ", ".join(f"({record})" for record in records)
        with mirror.transaction():
            mirror.run("CREATE OR REPLACE TABLE test_contacts (record BIGINT)")
            if rows:
                mirror.run(f"INSERT INTO test_contacts VALUES {rows}")
            mirror.touched()
    if not records:
        mirror.run("DROP TABLE IF EXISTS test_contacts")
    return bool(records)


class TestLabels(FileTables):
    """The labels of test contacts by one segmentation; each day starts from those of an earlier one."""

    __test__ = False  # no test, whatever its name looks like
    _stamp = "test_labels"

    def __init__(self, mirror: AccountMirror, name: str) -> None:
        super().__init__(mirror, name, prefix="test_")


def wanted(segmentation: str) -> Relation:
    """(record, segment, …) of the test contacts, by the last labelling."""
    return Relation(f"SELECT * FROM {quoted('test_labels_' + segmentation)}")


def of_test_contacts(mirror: AccountMirror, rows: Relation) -> Relation:
    """Those of the rows, with ``record``, that are about test contacts."""
    return Relation(f"SELECT * FROM ({rows}) WHERE record IN ({test_contacts(mirror)})")


def record_names(mirror: AccountMirror, rows: Relation) -> list[list[str]]:
    """Type and id of each record that the rows are about."""
    sql = f"SELECT DISTINCT record_type, id FROM ({IDS}) JOIN ({rows}) AS rows USING (record) ORDER BY ALL"
    return [[record_type, id] for record_type, id in mirror.rows(sql)]


def without(mirror: AccountMirror, rows: Relation) -> Relation:
    """Those of the rows, with ``record``, that are not about test contacts."""
    if not mirror.has_table("test_contacts"):
        return rows
    return Relation(f"SELECT * FROM ({rows}) WHERE record NOT IN ({test_contacts(mirror)})")


def named_by(mirror: AccountMirror, fits: Mapping[str, Sequence[int]], among: Relation) -> list[str]:
    """The texts that fit one record each, and that one is among these."""
    chosen = {record for (record,) in mirror.rows(f"SELECT record FROM ({among})")}
    return [text for text, records in fits.items() if len(records) == 1 and records[0] in chosen]
