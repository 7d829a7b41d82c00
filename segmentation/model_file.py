"""How is a fitted model kept, and what differs between two of them?

A model is JSON, never a pickle: {"version", "kind", "as_of", "settings", "seen": counts, "figures", "axes"}.
The text has sorted keys, so equal models are equal texts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from segmentation.ecdf import EmpiricalCdf

VERSION = 1

Model = dict[str, Any]


def model(
    kind: str,
    as_of: date,
    settings: Mapping[str, Any],
    seen: Mapping[str, int],
    axes: Mapping[str, EmpiricalCdf],
    figures: Mapping[str, Any],
) -> Model:
    """Put a model together. ``settings`` are those that labelling under this model must share."""
    return {
        "version": VERSION,
        "kind": kind,
        "as_of": as_of.isoformat(),
        "settings": dict(settings),
        "seen": dict(seen),
        "figures": dict(figures),
        "axes": {name: axis.to_dict() for name, axis in axes.items()},
    }


def blank(model: Mapping[str, Any]) -> bool:
    """Whether the fit saw no buyer where it asks for buyers: such a model freezes nothing, and is worth a new
    fit once there is one.
    """
    return bool(model.get("seen", {}).get("buyers") == 0)


def topless(model: Mapping[str, Any]) -> bool:
    """Whether nobody of the fit has the highest score of some axis; of a kind that cuts by ranks.

    Versions that counted ties by those who are worse alone made such models; ``segmentation.ecdf.fair_cuts``
    makes none (of models with a ``scoring`` of 2, nobody has the highest frequency where nobody came back).
    """
    if model.get("figures", {}).get("scoring", 1) > 1:
        return False
    ranked_axes = [EmpiricalCdf.from_dict(stored) for stored in model["axes"].values()]
    return any(axis.count > len(axis.cuts) > 0 and axis.knots[-1] <= axis.cuts[-1] for axis in ranked_axes)


def labels_alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two models give the same labels: they differ in further values at most."""
    return _of_labels(one) == _of_labels(other)


def _of_labels(model: Mapping[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in model.items() if name not in ("values", "as_of")}


def axes(model: Mapping[str, Any], kind: str, settings: Mapping[str, Any]) -> dict[str, EmpiricalCdf]:
    """The axes of a model. ValueError when it was created by another version, kind or settings."""
    if model.get("version") != VERSION:
        raise ValueError(
            f"the model is of version {model.get('version')!r}, this program reads version {VERSION}; train again"
        )
    if model.get("kind") != kind:
        raise ValueError(f"the model is of kind {model.get('kind')!r}, expected {kind!r}; train again")
    for name, value in settings.items():
        made = model.get("settings", {}).get(name)
        if made != value:
            raise ValueError(
                f"the model was trained with {name} = {made!r}, the settings say {value!r}; train again"
            )
    return {name: EmpiricalCdf.from_dict(stored) for name, stored in model["axes"].items()}


def to_json(model: Mapping[str, Any]) -> str:
    """The model as text."""
    return json.dumps(model, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def from_json(text: str) -> Model:
    """The model of a text. ValueError when it is none."""
    try:
        loaded = json.loads(text)
    except ValueError as fault:
        raise ValueError(f"the stored model is not JSON ({fault}); train again") from fault
    if not isinstance(loaded, dict) or loaded.get("version") != VERSION:
        raise ValueError(f"the stored model is not of version {VERSION}; train again")
    return loaded


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What differs, by dotted path: (old, new).

    Knots of axes and trees, which always differ, are left out; cuts are not.
    """
    before, after = dict(_leaves(old)), dict(_leaves(new))
    paths = sorted(before.keys() | after.keys())
    return {
        path: (before.get(path), after.get(path)) for path in paths if before.get(path) != after.get(path)
    }


def _leaves(branch: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in branch.items():
        if name in ("knots", "below", "upto", "trees"):
            continue
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value
