"""Is a config with rules that cannot be used refused whole, each fault with its line, its key and what would
be right?
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.config.config import Config, ConfigError, load

HEAD = """
[accounts.shop]
crm = "files"
path = "crm"
[accounts.shop.attributes]
age = { field = "age", type = "number" }
city = "city"
kids = { field = "kids", type = "ordered", order = ["0", "1", "2", "3+"] }
[[segmentations]]
name = "rfm"
kind = "rfm"
field = "seg_rfm"
[[segmentations]]
name = "audience"
kind = "rules"
field = "seg_audience"
"""


def segment(key: str, when: str) -> str:
    return f'[[segmentations.segments]]\nkey = "{key}"\nwhen = {when}\n'


YOUNG = segment("young", '{ attribute = "age", below = 30 }')


def written(folder: Path, text: str) -> Config:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        written(folder, text)
    return str(caught.value).splitlines()


LIFE = '[[segmentations]]\nname = "life"\nkind = "lifecycle"\nfield = "seg_life"\n'
RING = '[[segmentations]]\nname = "ring"\nkind = "rules"\nfield = "seg_ring"\n' + segment(
    "a", '{ segment = "audience", is = "young" }'
)
SECOND = "segmentations[1].segments[1].when"
CITIES = '{ all = [ { attribute = "city", is = "A" }, { attribute = "city", is = "B" } ] }'
POPULATION = 'population = { attribute = "age", above = 9, below = 9 }\n'
WHEN = "segmentations[1].segments[0].when"
BROKEN: list[tuple[str, str, str, str]] = [
    ("no segment", "", "segmentations[1].kind", "add [[segmentations.segments]]"),
    ("no rule", '[[segmentations.segments]]\nkey = "a"\n', WHEN, "say who belongs"),
    (
        "no key",
        "[[segmentations.segments]]\nwhen = { did = 'visit' }\n",
        "segmentations[1].segments[0].key",
        "is missing",
    ),
    (
        "a key twice",
        YOUNG + segment("young", '{ attribute = "age", at_least = 30 }'),
        "segmentations[1].segments[1].key",
        "keep one",
    ),
    (
        "a key that is no name",
        segment("Young ones", '{ did = "visit" }'),
        "segmentations[1].segments[0].key",
        "small letter",
    ),
    ("a rule that is no table", segment("a", '"age < 30"'), WHEN, "dictionary"),
    ("an empty rule", segment("a", "{}"), WHEN, "a rule has one of all, any, not, attribute"),
    ("a predicate that is none", segment("a", '{ bought = "wine" }'), WHEN, "did_not"),
    ("two predicates at once", segment("a", '{ did = "visit", attribute = "age" }'), WHEN, "at once"),
    (
        "an unknown attribute",
        segment("a", '{ attribute = "agee", below = 3 }'),
        WHEN + ".attribute",
        "did you mean 'age'",
    ),
    (
        "an operator of other types",
        segment("a", '{ attribute = "city", below = "B" }'),
        WHEN + ".below",
        "choose one of",
    ),
    (
        "a value of another type",
        segment("a", '{ attribute = "age", below = "30" }'),
        WHEN + ".below",
        "takes a number",
    ),
    (
        "a band that the order lacks",
        segment("a", '{ attribute = "kids", at_least = "4" }'),
        WHEN + ".at_least",
        "'3+'",
    ),
    (
        "bands the wrong way round",
        segment("a", '{ attribute = "kids", between = ["2", "0"] }'),
        WHEN + ".between",
        "lower one first",
    ),
    (
        "a list that is none",
        segment("a", '{ attribute = "city", in = "Bonn" }'),
        WHEN + ".in",
        "takes a list",
    ),
    (
        "a fault deep inside",
        segment("a", '{ any = [ { not = { did = "vist" } } ] }'),
        WHEN + ".any[0].not.did",
        "did you mean 'visit'",
    ),
    ("all without parts", segment("a", "{ all = [] }"), WHEN + ".all", "takes a list of rules"),
    ("a rule beside not", segment("a", '{ not = { did = "visit" }, is = 3 }'), WHEN + ".is", "join the two"),
    (
        "a window that is none",
        segment("a", '{ did = "visit", within_days = "90" }'),
        WHEN + ".within_days",
        "whole number",
    ),
    ("a place without attributes", segment("a", "{ within_km = 5, of = [48, 11] }"), WHEN, "latitude = NAME"),
    (
        "an unknown feature",
        segment("a", '{ feature = "orders_last_year", above = 1 }'),
        WHEN + ".feature",
        "orders_DAYS",
    ),
    (
        "an unknown segmentation",
        segment("a", '{ segment = "rfn", is = "lost" }'),
        WHEN + ".segment",
        "did you mean 'rfm'",
    ),
    ("an unknown segment", segment("a", '{ segment = "rfm", is = "loser" }'), WHEN + ".is", "'champions'"),
    ("itself", segment("a", '{ not = { segment = "audience", is = "a" } }'), WHEN, "audience -> audience"),
    (
        "a ring",
        segment("young", '{ segment = "ring", is = "a" }') + RING,
        WHEN,
        "audience -> ring -> audience",
    ),
    (
        "at least above at most",
        segment("a", '{ attribute = "age", at_least = 30, at_most = 20 }'),
        WHEN,
        "contradicts itself",
    ),
    ("two values at once", segment("a", CITIES), WHEN, "contradicts"),
    (
        "yes and no",
        segment("a", '{ all = [ { did = "visit" }, { did_not = "visit" } ] }'),
        WHEN,
        "contradicts itself",
    ),
    (
        "hidden by an earlier rule",
        YOUNG + segment("kid", '{ attribute = "age", at_most = 12 }'),
        SECOND,
        "'young'",
    ),
    (
        "told twice",
        YOUNG + segment("b", '{ all = [ { did = "visit" }, { attribute = "age", below = 30 } ] }'),
        SECOND,
        "matches first",
    ),
    (
        "a rule where the kind chooses",
        YOUNG + LIFE + segment("lost", '{ did = "visit" }'),
        "segmentations[2].segments[0].when",
        "'rules'",
    ),
    ("a population of nobody", POPULATION + YOUNG, "segmentations[1].population", "nobody"),
    ("an option of another kind", "window_days = 3\n" + YOUNG, "segmentations[1].window_days", "unknown key"),
    (
        "two spellings",
        segment("a", '{ did = "Demo" }') + segment("b", '{ last = "demo", at_most_days_ago = 3 }'),
        SECOND,
        "the same way everywhere",
    ),
    (
        "a share as a percentage",
        segment("a", '{ share_of = "Wine", at_least = 30 }'),
        WHEN + ".at_least",
        "0.3 for 30%",
    ),
]


@pytest.mark.parametrize(
    ("text", "location", "remedy"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN]
)
def test_a_broken_config_names_line_key_and_remedy(
    tmp_path: Path, text: str, location: str, remedy: str
) -> None:
    messages = faults(tmp_path, HEAD + text)
    hits = [line for line in messages if location in line and remedy in line]
    assert hits, messages
    number = int(hits[0].split(":")[1])
    assert 1 < number <= len((HEAD + text).splitlines())


def test_all_faults_of_all_rules_are_told_at_once(tmp_path: Path) -> None:
    text = (
        HEAD
        + segment("a", '{ attribute = "agee", below = 3 }')
        + segment("b", '{ did = "vist", times = 0 }')
        + LIFE
        + "dead_band = 7\n"
    )
    messages = faults(tmp_path, text)
    assert [line.split(": ")[1] for line in messages] == [
        "segmentations[1].segments[0].when.attribute",
        "segmentations[1].segments[1].when.did",
        "segmentations[1].segments[1].when.times",
        "segmentations[2].dead_band",
    ]


@pytest.mark.parametrize(
    "text",
    [
        YOUNG + segment("old", '{ attribute = "age", above = 20 }'),
        YOUNG + segment("unknown", '{ attribute = "age", is_set = false }'),
        segment("kid", '{ attribute = "age", at_most = 12 }') + YOUNG,
        segment("a", '{ attribute = "city", contains = "A" }')
        + segment("b", '{ attribute = "city", starts_with = "A" }'),
        segment("a", '{ all = [ { did = "visit" }, { did_not = "visit", within_days = 30 } ] }'),
        segment("a", '{ not = { attribute = "age", at_least = 30 } }')
        + segment("b", '{ not = { attribute = "age", below = 30 } }'),
    ],
)
def test_rules_that_somebody_may_meet_are_let_through(tmp_path: Path, text: str) -> None:
    assert len(written(tmp_path, HEAD + text).segmentations) == 2


def test_the_digest_moves_with_a_rule_and_with_what_it_uses_but_not_with_a_label(tmp_path: Path) -> None:
    def digest(text: str) -> str:
        config = written(tmp_path, text)
        return config.digest(config.segmentations[1])

    lost = segment("young", '{ segment = "rfm", is = "lost" }')
    base = digest(HEAD + lost)
    assert digest(HEAD + lost + 'title = "Youth"\nplaybook = { offer = "x" }\n') == base
    assert digest(HEAD.replace('field = "seg_rfm"', 'field = "seg_rfm"\nwindow_days = 90') + lost) != base
    assert digest(HEAD + YOUNG) != base


def test_a_segmentation_is_labelled_after_those_that_it_uses(tmp_path: Path) -> None:
    head, rfm, audience = HEAD.split("[[segmentations]]")
    text = "[[segmentations]]".join([head, audience + segment("a", '{ segment = "rfm", is = "lost" }'), rfm])
    config = written(tmp_path, text)
    assert [settings.name for settings in config.segmentations] == ["audience", "rfm"]
    assert [settings.name for settings in config.in_order("shop")] == ["rfm", "audience"]


@pytest.mark.parametrize(("depth", "message"), [(60, "flatter"), (5_000, "flatter")])
def test_a_rule_of_endless_depth_is_refused(tmp_path: Path, depth: int, message: str) -> None:
    rule = "{ not = " * depth + '{ did = "visit" }' + " }" * depth
    assert message in "\n".join(faults(tmp_path, HEAD + segment("a", rule)))
