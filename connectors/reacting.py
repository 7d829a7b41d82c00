"""What in a CRM hangs on our fields and lists: what starts when they change, and what names them?"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Automation:
    """Something in the CRM that starts when a field or list of ours changes: a workflow, a flow."""

    name: str
    target: str  # name of the field, or key of the list
    value: str | None = None  # only on this value; None: on any change


@dataclass(frozen=True)
class Automations:
    """All that reacts to our fields and lists. ``unknown`` names the right that is missing to tell."""

    found: tuple[Automation, ...] = ()
    unknown: str = ""


@dataclass(frozen=True)
class Reference:
    """Something of other people that names a field or list of ours, and breaks or changes where that goes."""

    name: str  # what it is and how it is called: workflow "Welcome"
    target: str  # name of the field, or key of the list


@dataclass(frozen=True)
class References:
    """All that names our fields and lists. ``unknown`` says what cannot be told, and which right is missing."""

    found: tuple[Reference, ...] = ()
    unknown: str = ""
    unseen: str = ""  # what the CRM never tells of, whatever rights we have; a sentence
