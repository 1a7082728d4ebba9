"""LEARN: samples -> PPA model (docs/explanation/ppa-models.md)."""
