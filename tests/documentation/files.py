"""The reference of file formats: every column of records and activities, every type, every word for yes and no."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from connectors.files.folder import DEFAULT_FILES
from connectors.files.platform import load
from connectors.tables.column_mapping import ACTIVITY_NAMES, RECORD_NAMES
from connectors.values.text import FALSE, TRUE
from segmentation.rules.feature_names import ACTIVITY_KINDS
from tests.documentation.markdown import code, page, table

_ABOUT = """
A folder of exports is a CRM of its own (`crm = "files"`), and tables of a database have the same columns
(`crm = "sql"`). This page names every column that has a meaning. Every other column of contacts, leads and companies
is an attribute, which rules can use; other columns of activities are not read.

The smallest files that work:

| `contacts.csv` | `activities.csv` |
| --- | --- |
| `id,email` | `contact_id,occurred_at,amount` |
| `1001,anna@example.org` | `1001,2026-01-14,59.90` |
| `1002,ben@example.org` | `1001,2026-01-30,12.50` |

A column of yours under another name is mapped in the config:

```toml
[accounts.shop.activities.columns]
contact_id = "customer_no"     # our name = your header
```

How numbers, times and orders are understood is told in [how exports are read](../guides/exports.md).
"""
_FILES = """
| Table | Files | One row for each |
| --- | --- | --- |
| contacts | {contact} | person |
| leads | {lead} | person who is not a contact yet |
| companies | {company} | company |
| activities | {activity} | thing that a record did: an order, a line of an order, a visit |

A file is CSV (any delimiter, any encoding), Parquet or `.xlsx` (`pip install "crm-segments[excel]"`). A file that did
not change is not read again. Add a new export as a further file, such as `activities-2026-02.csv`, or replace the
old one: an order that stands in two files counts once.
"""
_WORDS = """
Without case: {yes} mean yes, {no} mean no, an empty cell is not known. Other words are named in the config, and a
word in no list is refused:

```toml
[accounts.shop.contacts.words]
reachable_email = {{ yes = ["subscribed"], no = ["unsubscribed", "cleaned"], unknown = ["pending"] }}
```

**Not opted out is not opted in.** With `consent_basis = "opt_in"` (the default) a person is reachable by a channel only
where `reachable_CHANNEL` says yes. With `consent_basis = "not_opted_out"` a person is reachable too where
`opted_out_CHANNEL` says no. A list with `reachable_only = true` holds only people who are reachable by its `channel`;
not known counts as no, unless `unknown_reachable = true`.
"""
_STATUS = """
`[accounts.NAME.activities.status]` says which words of a status column count:

```toml
[accounts.shop.activities.status]
state = { counted = ["paid", "partly refunded"], left_out = ["cancelled", "test", "*"] }
```

A row must count in every status column. `""` is an empty cell, `"*"` every other word. Without `"*"`, a word in
neither list is refused, so that a new word of the shop is never counted by accident. Rows that are left out are
counted by word in every reading summary.
"""
_BACK = """
| File | Holds |
| --- | --- |
| `segments.csv` | a row for each labelled record: `id`, a column for each segmentation, and its extra fields |
| `lists/SEGMENTATION.SEGMENT.csv` | the members of a list: `id` |

The column of a segmentation has the name of its `field`, such as `seg_rfm`; extra fields are next to it as
`seg_rfm_reason`, `seg_rfm_since`, `seg_rfm_previous` and `seg_rfm_score`. Where other records than contacts are labelled,
there is a column `record_type`. Columns that you add to `segments.csv`, and cells that you change, stay as they are.
"""


def text() -> str:
    """The page."""
    told = meanings()
    patterns = {stream: ", ".join(map(code, _expanded(files))) for stream, files in DEFAULT_FILES.items()}
    platforms = ", ".join(sorted(platform.title for platform in load()))
    return page(
        "File formats",
        _ABOUT,
        "## Files\n" + _FILES.format(**patterns),
        f"`crm-segments init` knows these exports by their headers, and maps them: {platforms}.",
        "## Contacts, leads and companies\n\n" + _columns(RECORD_NAMES, told["records"]),
        "## Consent and other yes-or-no cells\n"
        + _WORDS.format(yes=", ".join(map(code, TRUE)), no=", ".join(map(code, FALSE))),
        "## Activities\n\n" + _columns(ACTIVITY_NAMES, told["activities"]),
        "## Types of activity\n\n" + _TYPES + "\n\n" + _types(told["types"]),
        "## Status\n" + _STATUS,
        "## What is written back\n" + _BACK,
    )


_TYPES = """
The type stands in the column `kind`. These have a meaning of their own; any other word is a type too, which rules
(`did`, `last`), features (`count_TYPE`) and models (`activity_types`) can name. `activity_types` in the config maps the
words of your file: `"Return" = "refund"`.
"""


@cache
def meanings() -> Mapping[str, Mapping[str, Any]]:
    """Table → column or type → what is said of it."""
    return tomllib.loads((Path(__file__).parent / "file_columns.toml").read_text(encoding="utf-8"))


def types() -> tuple[str, ...]:
    """Types of activity that have a meaning."""
    return ACTIVITY_KINDS


def _columns(names: tuple[str, ...], told: Mapping[str, tuple[str, str]]) -> str:
    ordered = [name for name in told if name in names]
    return table(("Column", "Form", "Meaning"), [(code(name), *told[name]) for name in ordered])


def _types(told: Mapping[str, str]) -> str:
    return table(("Type", "Meaning"), [(code(name), told[name]) for name in types()])


def _expanded(patterns: list[str]) -> list[str]:
    names = []
    for pattern in patterns:
        first, *further = pattern.split("|")
        stem = first.rpartition(".")[0]
        names += [first, *(f"{stem}.{ending}" for ending in further)]
    return names
