"""What every test starts from: hypothesis without deadlines (the machine may be busy), the same examples in CI."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("busy"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "busy")
