"""What do an account's segmentations look for in its activity, and how does that activity spell it?

Categories, surveys and their answers compare as texts in rules do: without case, blanks around and forms of
accents. Where some rows spell one otherwise than the config, the view ``deeds`` gives them the config's
spelling.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from connectors.values.spelling import as_compared, as_shown, comparable
from sync.account.segment_catalog import built
from sync.account.session import Session
from sync.store.mirror import literal

if TYPE_CHECKING:
    from segmentation.feature_request import Needs
    from sync.config.settings import SegmentationSettings

_STAMP = "spellings"


def needs_of(session: Session, settings: SegmentationSettings) -> Needs:
    """The features that a segmentation and its population look at."""
    population = session.config.population(settings, session.account)
    needs = built(session.config, settings, session.account).needs
    return needs | population.needs() if population else needs


def account_needs(session: Session) -> Needs:
    """The features that all segmentations of the account look at."""
    from segmentation.feature_request import Needs

    needs = Needs()
    for settings in session.segmentations:
        needs = needs | needs_of(session, settings)
    return needs


def respelled(session: Session, activity: str, answers: bool) -> str:
    """SQL of the same rows of activity, with categories and surveys spelled as the config spells them.

    With ``answers`` they have their answer in the form that compares, too: ``compared``.
    """
    needs = account_needs(session)
    categories, surveys = _spellings(session, needs)
    columns = [_replaced("category", categories, "true")] if categories else []
    if answers and surveys:
        columns.append(_replaced("campaign", surveys, "kind = 'survey'"))
    if not (answers and needs.answers):
        return f"SELECT * REPLACE ({', '.join(columns)}) FROM ({activity})" if columns else activity
    _compare_answers(session)
    columns.append("coalesce(forms.shown, deed.answer) AS answer")
    return f"""SELECT deed.* REPLACE ({", ".join(columns)}), forms.compared FROM ({activity}) AS deed
               LEFT JOIN compared_answers AS forms ON deed.kind = 'survey' AND forms.given = deed.answer"""


def _replaced(column: str, spellings: Sequence[Sequence[str]], where: str) -> str:
    cases = " ".join(f"WHEN {literal(text)} THEN {literal(meant)}" for text, meant in spellings)
    return f"CASE WHEN {where} THEN CASE {column} {cases} ELSE {column} END ELSE {column} END AS {column}"


def _spellings(session: Session, needs: Needs) -> tuple[Sequence[Sequence[str]], Sequence[Sequence[str]]]:
    """Pairs of a spelling in activity and the config's own, of categories and of surveys; kept while nothing
    changes.
    """
    mirror = session.mirror()
    offered = {
        name
        for segmentation in session.segmentations
        for name in getattr(segmentation.options, "categories", ())
    }
    categories = sorted({*needs.categories, *(name for name, _days in needs.shares), *offered})
    revisions = [session.mirror(name).revision() for name in session.sources()]
    key = [revisions, categories, list(needs.answers)]
    kept = json.loads(mirror.stamp(_STAMP) or "{}")
    if kept.get("key") != key:
        kept = {
            "key": key,
            "categories": _pairs(categories, _held(session, "category", categories, "true")),
            "surveys": _pairs(needs.answers, _held(session, "campaign", needs.answers, "kind = 'survey'")),
        }
        mirror.set_stamp(_STAMP, json.dumps(kept))
    return kept["categories"], kept["surveys"]


def _pairs(names: Iterable[str], texts: Iterable[str]) -> list[tuple[str, str]]:
    meant = {comparable(name): name for name in names}
    return sorted((text, meant[comparable(text)]) for text in texts if comparable(text) in meant)


def _held(session: Session, column: str, names: Sequence[str], where: str) -> list[str]:
    """What stands in a column of activity, without these names; nothing where none is asked for."""
    if not names:
        return []
    values: set[str] = set()
    for source in session.sources():
        mirror = session.mirror(source)
        if column in mirror.columns("activity"):
            others = f"{column} NOT IN ({', '.join(map(literal, names))})"
            rows = mirror.rows(f"SELECT DISTINCT {column} FROM activity WHERE {where} AND {others}")
            values.update(text for (text,) in rows)
    return sorted(values)


def _compare_answers(session: Session) -> None:
    """Table ``compared_answers``: each answer as it was given, as it compares, and as people read it."""
    parts = []
    for source in session.sources():
        mirror = session.mirror(source)
        if "answer" in mirror.columns("activity"):
            sql = "SELECT DISTINCT answer FROM activity WHERE kind = 'survey' AND answer IS NOT NULL"
            parts.append(mirror.table(sql)["answer"].combine_chunks().cast(pa.string()))
    texts = pa.concat_arrays([*parts, pa.array([], pa.string())]).unique()
    session.mirror().run(
        "CREATE OR REPLACE TEMP TABLE compared_answers AS SELECT * FROM frame",
        frame=pa.table({"given": texts, "compared": as_compared(texts), "shown": as_shown(texts)}),
    )
