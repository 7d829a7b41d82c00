"""Does segmentation/README.md tell of every kind and every option that there is, and of no other?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from segmentation.kinds import KINDS
from sync.config.settings import SegmentationSettings

TEXT = (Path(__file__).parent.parent / "segmentation" / "README.md").read_text(encoding="utf-8")
LINKED = dict(re.findall(r"\| \[`(\w+)`\]\(#([\w-]+)\)", TEXT))


def section(kind: str) -> str:
    """The part of the text about a kind, by the link of the table at its top."""
    parts = re.split(r"^## (.+)$", TEXT, flags=re.MULTILINE)
    titles = {
        title.lower().replace(" ", "-"): part for title, part in zip(parts[1::2], parts[2::2], strict=True)
    }
    return titles[LINKED[kind]]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_section_with_all_its_options_and_when_not_to_use_it(kind: str) -> None:
    text = section(kind)
    assert [name for name in KINDS[kind].model_fields if f"`{name}" not in text] == []
    assert "**What.**" in text and "**How.**" in text and "**Options.**" in text and "**Not**" in text


def test_options_that_are_told_of_exist() -> None:
    assert set(LINKED) == set(KINDS)
    for kind in KINDS:
        options = section(kind).partition("**Options.**")[2].partition("\n\n")[0]
        allowed = {*KINDS[kind].model_fields, *SegmentationSettings.model_fields, "key", "when"}
        assert set(re.findall(r"`([a-z_]+)(?: = [^`]*)?`", options)) <= allowed
