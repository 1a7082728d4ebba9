"""MEASURE: config x technology -> sample. Synthesis, timing, gate-level activity and power."""
