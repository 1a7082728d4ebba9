"""`python -m quidam` is `quidam`."""

from __future__ import annotations

import sys

from quidam.main import main

sys.exit(main())
