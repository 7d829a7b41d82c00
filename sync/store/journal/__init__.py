"""The journal: what we meant, did and decided. An SQLite file, and memory: back it up.

A plan *is* its batches: each is one compressed Arrow table of changes, written when the plan is made, opened
before the call that carries it out and closed with the answer. Rows that were not simply done stand in
``exceptions``. So a crash leaves at most one open batch per account, and every value can be traced to its
run.
"""

from __future__ import annotations

from pathlib import Path

from sync.store.journal.alerts import Alerts
from sync.store.journal.approvals import Approvals
from sync.store.journal.batches import Batches
from sync.store.journal.database import Database
from sync.store.journal.defaults import Defaults
from sync.store.journal.departed import Departed
from sync.store.journal.exports import Exports
from sync.store.journal.forgotten import Forgotten
from sync.store.journal.holds import Holds
from sync.store.journal.labels import Labels
from sync.store.journal.merged_consents import MergedConsents
from sync.store.journal.models import Models
from sync.store.journal.objects import Objects
from sync.store.journal.plans import Plans
from sync.store.journal.rejects import Rejects
from sync.store.journal.runs import Runs


class Journal(Database):
    """The journal of a state directory, noun by noun. Only ``sync.store`` uses what it has of ``Database`` to
    read and write rows.
    """

    def __init__(self, path: Path, beside: bool = False) -> None:
        super().__init__(path, beside)
        self.runs = Runs(self)
        self.plans = Plans(self)
        self.batches = Batches(self)
        self.approvals = Approvals(self)
        self.rejects = Rejects(self)
        self.holds = Holds(self)
        self.labels = Labels(self)
        self.models = Models(self)
        self.objects = Objects(self)
        self.merged_consents = MergedConsents(self)
        self.departed = Departed(self)
        self.forgotten = Forgotten(self)
        self.exports = Exports(self)
        self.alerts = Alerts(self)
        self.defaults = Defaults(self)
