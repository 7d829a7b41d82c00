"""What do people read about our fields and lists inside the CRM?

The one place that words it, from the config's own texts.
"""

from __future__ import annotations

from collections.abc import Sequence

from sync.account.segment_catalog import SegmentText

# characters of a help text; what is longer loses playbooks first, then descriptions, then its end
LONGEST = 1000

_EXTRA_FIELDS = {
    "reason": "why the record is in its segment",
    "since": "the day when the segment last changed",
    "previous": "the previous segment",
    "score": "rank among all records, 0 to 100 in steps of 5",
}


def of_field(title: str, segments: Sequence[SegmentText]) -> str:
    """The help text of a segmentation's field: a line for each segment, with its description and playbook."""
    for playbooks, descriptions in ((True, True), (False, True), (False, False)):
        lines = [title, *(_line(segment, playbooks, descriptions) for segment in segments)]
        text = "\n".join(lines)
        if len(text) <= LONGEST:
            return text
    return _cut(text)


def of_extra_field(title: str, extra_field: str) -> str:
    """The help text of an extra field."""
    return _cut(f"{title}: {_EXTRA_FIELDS[extra_field]}")


def of_list(segment: SegmentText) -> str:
    """The description of a segment's list."""
    for playbooks in (True, False):
        text = _line(segment, playbooks, descriptions=True)
        if len(text) <= LONGEST:
            return text
    return _cut(text)


def _line(segment: SegmentText, playbooks: bool, descriptions: bool) -> str:
    description = segment.description.rstrip(". ") if descriptions else ""
    advice = "; ".join(f"{key}: {value}" for key, value in segment.playbook.items()) if playbooks else ""
    parts = ". ".join(part for part in (description, advice) if part)
    return f"{segment.title}: {parts}" if parts else segment.title


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
