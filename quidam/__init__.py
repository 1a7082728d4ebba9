"""The `quidam` command: one file per verb, thin over the four folders that do the work."""

__version__ = "0.1.0"
