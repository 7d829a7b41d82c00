"""Which record of the CRM has which number here?"""

from __future__ import annotations

from sync.store.relation import Relation

IDS = Relation("SELECT record, record_type, id FROM ids")


def numbered(rows: Relation) -> Relation:
    """Rows with ``record_type`` and ``id``, under the ``record`` numbers of those that we know."""
    return Relation(f"SELECT * FROM ({rows}) AS named JOIN ids USING (record_type, id)")
