"""Results as tables: a row a design, columns named with their units."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from explore.cost import PARTS, Costs
from explore.designs import Designs
from explore.quantities import values
from explore.search import BEST, Exploration, Findings


def design_table(designs: Designs, costs: Costs) -> pd.DataFrame:
    """The fields of each design, then what one inference costs on it."""
    builds = designs.builds()
    columns: dict[str, Any] = {
        "arithmetic": designs.arithmetic.name,
        "scratchpads": [build.scratchpads for build in builds],
        "recipe": [build.recipe for build in builds],
    }
    columns.update(designs.columns_by_name())
    columns.update(
        area_um2=costs.area_um2,
        clock_ns=costs.clock_ns,
        cycles=costs.cycles,
        latency_s=costs.latency_s,
        energy_j=costs.energy_j,
        power_w=costs.power_w,
        leakage_w=costs.leakage_w,
        inferences_per_s=costs.perf,
        inferences_per_s_mm2=costs.perf_per_area,
        utilization=values("utilization", designs, costs),
        inside_range=costs.inside_range,
    )
    columns.update({f"energy_j.{part}": costs.energy_by[part] for part in PARTS})
    return pd.DataFrame(columns, index=np.arange(len(designs)))


def front_table(findings: Findings, first: str) -> pd.DataFrame:
    """Every PE type's own front; `on_front` tells the rows that no type's design dominates.

    Parameters
    ----------
    first : quantity that the rows are ordered by.
    """
    tables = []
    for name, rows in findings.fronts.items():
        table = design_table(*rows)
        table.insert(0, "workload", findings.workload.name)
        table.insert(1, "on_front", findings.overall[name])
        table["_order"] = values(first, *rows)
        tables.append(table)
    joined = pd.concat(tables).sort_values("_order", kind="stable", ignore_index=True)
    return joined.drop(columns="_order")


def fronts(exploration: Exploration) -> pd.DataFrame:
    """`front_table` of every workload, one after another; `scaled` names memories whose part of
    the figures was scaled from another technology."""
    first = exploration.objectives[0].quantity
    table = pd.concat(
        [front_table(findings, first) for findings in exploration.findings], ignore_index=True
    )
    table["scaled"] = ", ".join(exploration.scaled)
    return table


def best_by_type(exploration: Exploration, findings: Findings) -> list[dict[str, Any]]:
    """For each arithmetic its best design in performance per area, and in energy.

    `*_relative` is how many times better than the best design of the reference arithmetic
    (`Exploration.reference`); None where that has no design left.
    """
    result = []
    for one in exploration.space.arithmetics:
        if one.name not in findings.best:
            continue
        row: dict[str, Any] = {"arithmetic": one.name, "label": one.label}
        for quantity, sign in BEST.items():
            rows = findings.best[one.name][quantity]
            reference = findings.best.get(exploration.reference.name)
            ratio = None
            if reference is not None:
                ratio = float(
                    (values(quantity, *rows) / values(quantity, *reference[quantity]))[0] ** -sign
                )
            row[quantity] = float(values(quantity, *rows)[0])
            row[f"{quantity}_relative"] = ratio
            row[f"{quantity}_design"] = rows[0].config(0).to_mapping()
            row[f"{quantity}_recipe"] = rows[0].one_build().recipe
            row[f"{quantity}_inside_range"] = bool(rows[1].inside_range[0])
        result.append(row)
    return result
