"""Who belongs to a record? Read with it where HubSpot gives it along, else in batches of 1,000.

Of several, the primary one is that whose label says so, else the first that HubSpot names; it comes first
here. An association that is made or ended does not always move the record's own time of change: the sweep (a
reading of all records every ``full_sync_days``) heals what that hides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from connectors.hubspot.shapes import ASSOCIATIONS, following
from connectors.rest.source import Links, Row

if TYPE_CHECKING:
    from connectors.hubspot.session import Portal

BATCH = 1_000  # inputs of one call (developer documentation, "Associations")
_PRIMARY_TYPES = frozenset({1, 5})  # of a contact's and of a deal's companies, as HubSpot defines them


class Associations:
    """Associations of one portal."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def within(self, kind: str, results: Sequence[Row], target: str) -> Links:
        """Of records that were listed with their associations; what does not fit into a listing is fetched."""
        links, cut = {}, []
        for row in results:
            given = row.get("associations")
            if not given:
                continue
            associates = given.get(target) or given.get(target.replace("_", " "))
            if associates:
                links[row["id"]] = _ordered(associates["results"])
                if associates.get("paging"):
                    cut.append(row["id"])
        return links | self.of(kind, cut, target) if cut else links

    def of(self, kind: str, ids: Sequence[str], target: str) -> Links:
        """Of records by id."""

        def batch(chunk: list[str]) -> Links:
            return self._batch(kind, chunk, target)

        chunks = [list(ids[start : start + BATCH]) for start in range(0, len(ids), BATCH)]
        all_links: Links = {}
        for links in self._portal.many(batch, chunks):
            all_links |= links
        return all_links

    def _batch(self, kind: str, ids: list[str], target: str) -> Links:
        """One batch, with the further pages of those that have many."""
        path = self._portal.path("associations", kind, target, "batch", "read")
        primary: dict[str, list[str]] = {}
        others: dict[str, list[str]] = {}
        inputs: list[dict[str, str]] = [{"id": id} for id in ids]
        while inputs:
            answer = self._portal.ask("POST", path, body={"inputs": inputs}, shape=ASSOCIATIONS)
            inputs = []
            for association in answer["results"]:
                id = str(association["from"]["id"])
                for to in association["to"]:
                    if to.get("toObjectId") is not None:
                        (primary if _is_primary(to) else others).setdefault(id, []).append(
                            str(to["toObjectId"])
                        )
                after = following(association)
                if after:
                    inputs.append({"id": id, "after": after})
        answered_ids = dict.fromkeys((*primary, *others))
        return {id: list(dict.fromkeys((*primary.get(id, ()), *others.get(id, ())))) for id in answered_ids}


def _is_primary(to: dict[str, Any]) -> bool:
    return any(
        "primary" in str(kind.get("label") or "").lower()
        or (kind.get("category") == "HUBSPOT_DEFINED" and kind.get("typeId") in _PRIMARY_TYPES)
        for kind in to.get("associationTypes") or []
    )


def _ordered(results: Sequence[Row]) -> list[str]:
    """Ids of the associates of one listed record: an associate stands there once for each of its labels."""
    if len(results) == 1:
        return [str(results[0]["id"])]
    types: dict[str, set[str]] = {}
    for associate in results:
        types.setdefault(str(associate["id"]), set()).add(str(associate.get("type") or ""))
    first = [id for id, named in types.items() if _names_primary(named)]
    return [*first, *(id for id in types if id not in first)] if first else list(types)


def _names_primary(types: Iterable[str]) -> bool:
    """``deal_to_company`` beside ``deal_to_company_unlabeled`` is the primary company; a label of one's own
    says it in its name.
    """
    names = set(types)
    return any("primary" in name.lower() or f"{name}_unlabeled" in names for name in names)
