"""What do people read about our fields and lists inside the CRM?

The one place that words it, from the config's own texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from segmentation.value_fields import ValueField
from sync.account.segment_catalog import SegmentText

# characters of a help text; what is longer loses playbooks first, then descriptions, then its end
LONGEST = 1000
MARK = "Written by crm-segments; do not edit."
_SOURCE = re.compile(re.escape(MARK) + r" Source: segmentation (\w+), account (\w+)\.")

_EXTRA_FIELDS = {
    "reason": "why the record is in its segment",
    "since": "the day when the segment last changed",
    "previous": "the previous segment",
    "score": "rank among all records, 0 to 100 in steps of 5",
}


def signature(segmentation: str, account: str, owner: str | None) -> str:
    """Who writes a field or list, from what, and who answers for it: the last line of what people read about it."""
    answers = f" Owner: {owner}." if owner else ""
    return f"{MARK} Source: segmentation {segmentation}, account {account}.{answers}"


def source_of(description: str) -> tuple[str, str]:
    """The segmentation and the account of a signature; two empty texts where there is none."""
    match = _SOURCE.search(description)
    return (match[1], match[2]) if match else ("", "")


def of_field(title: str, segments: Sequence[SegmentText], signature: str = "", longest: int = LONGEST) -> str:
    """The help text of a segmentation's field: a line for each segment, with its description and playbook."""
    texts = (
        "\n".join([title, *(_line(segment, playbooks, descriptions) for segment in segments)])
        for playbooks, descriptions in ((True, True), (False, True), (False, False))
    )
    return _signed(texts, signature, longest)


def of_extra_field(title: str, extra_field: str, signature: str = "", longest: int = LONGEST) -> str:
    """The help text of an extra field."""
    return _signed([f"{title}: {_EXTRA_FIELDS[extra_field]}"], signature, longest)


def of_value(
    title: str, value: ValueField, currency: str, signature: str = "", longest: int = LONGEST
) -> str:
    """The help text of a further value's field."""
    return _signed([f"{title}: {value.shown(currency)}. {value.about}"], signature, longest)


def of_list(segment: SegmentText, signature: str = "", longest: int = LONGEST) -> str:
    """The description of a segment's list."""
    texts = (_line(segment, playbooks, descriptions=True) for playbooks in (True, False))
    return _signed(texts, signature, longest)


def _signed(texts: Iterable[str], signature: str, longest: int) -> str:
    """The first of several texts that fits with the signature, which is never cut; else the last one, cut."""
    room = longest - len(signature) - 1 if signature else longest
    text = ""
    for text in texts:
        if len(text) <= room:
            break
    return "\n".join(part for part in (_cut(text, room), signature) if part)


def _line(segment: SegmentText, playbooks: bool, descriptions: bool) -> str:
    description = segment.description.rstrip(". ") if descriptions else ""
    advice = "; ".join(f"{key}: {value}" for key, value in segment.playbook.items()) if playbooks else ""
    parts = ". ".join(part for part in (description, advice) if part)
    return f"{segment.title}: {parts}" if parts else segment.title


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
