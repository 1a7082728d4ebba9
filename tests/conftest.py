"""What every test shares: how hypothesis chooses its examples."""

from __future__ import annotations

import os

from hypothesis import settings

# No deadline: a first call may compile or load; the suite's time is watched as a whole.
settings.register_profile("dev", deadline=None)
# In CI the same examples every time: a red run is about the change, not about luck.
settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
