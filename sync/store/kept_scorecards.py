"""Which scorecard does the mirror keep of a segmentation? The last one that was computed, with all that it was
computed from.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from sync.store.mirror import AccountMirror


@dataclass(frozen=True)
class KeptScorecard:
    """``as_of``: the day that it is of. ``facts``: a digest of the labels, the model and the data behind it."""

    as_of: str
    facts: str
    card: dict[str, Any]


def keep_scorecard(mirror: AccountMirror, name: str, scorecard: KeptScorecard) -> KeptScorecard:
    """Keep it in the place of the one before; returns it as it will be read."""
    mirror.set_stamp(_stamp(name), json.dumps(asdict(scorecard)))
    return kept_scorecard(mirror, name) or scorecard


def kept_scorecard(mirror: AccountMirror, name: str) -> KeptScorecard | None:
    """The scorecard that is kept of a segmentation; None where none was computed."""
    kept = mirror.stamp(_stamp(name))
    return KeptScorecard(**json.loads(kept)) if kept else None


def _stamp(name: str) -> str:
    return "scorecard:" + name
