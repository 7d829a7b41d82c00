"""An option of ours that somebody removed: `setup` makes it again, and what was refused meanwhile goes out
with the next run.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.portal_shop import Shop, hasten, portal_of
from tests.servers.hubspot.schema import Property


def test_a_removed_option_is_made_again_and_what_was_refused_is_written_by_the_next_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hasten(monkeypatch, tmp_path)
    with portal_of(contacts=40, deals=80) as server:
        company = Shop(tmp_path, server)
        assert company.code("setup") == 0
        field = server.portal.schema.properties["contacts"]["seg_value"]
        field.options = [option for option in field.options if option["value"] != "a"]
        company.code("run")
        assert "a" not in {values.get("seg_value") for values in company.fields().values()}
        assert company.code("setup") == 0
        assert {option["value"] for option in field.options} >= {"a", "b", "c"}
        assert company.finish() == 0
        assert "a" in {values.get("seg_value") for values in company.fields().values()}
        assert all("seg_value" in values for values in company.fields().values())


def test_the_options_of_an_adopted_property_keep_their_owners_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hasten(monkeypatch, tmp_path)
    with portal_of(contacts=20, deals=40) as server:
        company = Shop(tmp_path, server)
        theirs = [
            {"value": "a", "label": "Gold customers", "displayOrder": 0, "hidden": False},
            {"value": "z", "label": "Retired", "displayOrder": 1, "hidden": True},
        ]
        server.portal.schema.properties["contacts"]["seg_value"] = Property(
            "seg_value", "enumeration", "select", label="Class", group="contactinformation", options=theirs
        )
        assert company.code("setup") != 0
        assert company.code("setup", adopt=["seg_value"]) == 0, company.said
        assert (company.code(), company.code("setup")) == (0, 0), company.said
        now = server.portal.schema.properties["contacts"]["seg_value"]
        assert now.label == "Class"
        assert [option["label"] for option in now.options[:2]] == ["Gold customers", "Retired"]
        assert now.options[1]["hidden"] is True
        assert {option["value"] for option in now.options} >= {"a", "b", "c", "z"}
