"""DECIDE: from a model, a workload and a space of designs to the front of the best ones."""
