"""Fits a memory model to macros described by Liberty files.

    python -m characterize.memory_fit NAME FEATURE_NM SOURCE LIBERTY... > NAME.yaml

The model that ships, characterize/memories/ihp_sg13g2.yaml, was made so from the ten
RM_IHPSG13_1P_*_typ_1p20V_25C.lib files of IHP's open PDK.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from characterize.boolean import evaluate, pins
from characterize.cells import Cell, InternalPower
from characterize.liberty import read_library
from characterize.liberty_numbers import SEPARATORS
from characterize.memory import QUANTITIES, TERMS, Floats, sram
from rtl_gen.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class Macro:
    """One memory macro as its Liberty file describes it; quantities as in `QUANTITIES`."""

    name: str
    depth: int
    width: int
    voltage_v: float
    quantities: Mapping[str, float]


def read_macro(path: Path) -> Macro:
    """The one single-port memory of a Liberty file in the style of IHP's SG13G2 macros.

    An access takes the energy of a rising A_CLK with A_MEN and A_REN (or A_WEN) active. Idling, all
    three inactive, takes what the file says of both edges of A_CLK (IHP's say zero), and the charge
    of the pin: C V^2 a cycle. (An access leaves the charge out, which is 0.04% of the smallest.)
    The access time is the slowest entry of A_DOUT's clock-to-output tables.

    Raises
    ------
    UserError : the file holds no such memory.
    """
    library = read_library(path, timing=True)
    cell = next(iter(library.cells.values()))
    said = next(cell.group.named("memory"), None)
    if said is None or not {"A_CLK", "A_DOUT"} <= cell.pins.keys():
        raise UserError(f"{path} must hold a memory with ports A_CLK and A_DOUT")
    return Macro(
        name=cell.name,
        depth=2 ** int(said.text("address_width")),
        width=int(said.text("word_width")),
        voltage_v=library.voltage_v,
        quantities={
            "area_um2": cell.area_um2,
            "read_pj": float(_clock_power(path, cell, "A_MEN", "A_REN").rise.at(0.0, 0.0)),
            "write_pj": float(_clock_power(path, cell, "A_MEN", "A_WEN").rise.at(0.0, 0.0)),
            "idle_pj": _idle_pj(path, cell, library.voltage_v),
            "leakage_mw": cell.leakage_mw,
            "access_ns": _access_ns(cell) * library.time_ns,
        },
    )


def _clock_power(path: Path, cell: Cell, *active: str) -> InternalPower:
    """What the file says of A_CLK while these enables are active and the others are not."""
    for power in cell.pins["A_CLK"].powers:
        if power.when is not None:
            inputs = {name: name in active for name in pins(power.when)}
            if evaluate(power.when, inputs):
                return power
    named = " and ".join(active) or "no enable"
    raise UserError(f"{path} must give A_CLK's energy when {named} is active")


def _idle_pj(path: Path, cell: Cell, voltage_v: float) -> float:
    power = _clock_power(path, cell)
    inside = power.rise.at(0.0, 0.0) + power.fall.at(0.0, 0.0)
    return float(inside) + cell.pins["A_CLK"].capacitance_pf * voltage_v**2


def _access_ns(cell: Cell) -> float:
    (bus,) = (group for group in cell.group.named("bus") if group.arguments == ("A_DOUT",))
    return max(
        float(word)
        for timing in bus.named("timing")
        for table in timing.named("cell_rise", "cell_fall")
        for word in table.text("values").translate(SEPARATORS).split()
    )


def fit(macros: Sequence[Macro], *, name: str, feature_nm: float, source: str) -> dict[str, Any]:
    """The model with the least relative squared errors and no negative coefficient.

    `errors` holds, for each quantity, the relative error at each macro.

    Raises
    ------
    UserError : there are fewer macros than terms, their voltages differ, or a quantity is not
        positive, so that it has no relative error.
    """
    most = max(len(terms) for terms in QUANTITIES.values())
    if len(macros) <= most:
        raise UserError(f"a memory model must be fitted to more than {most} macros")
    if len(voltages := {macro.voltage_v for macro in macros}) != 1:
        raise UserError(f"macros must have one voltage, not {sorted(voltages)!r}")
    macros = sorted(macros, key=lambda macro: (macro.depth, macro.width))
    depth = np.array([macro.depth for macro in macros], np.float64)
    width = np.array([macro.width for macro in macros], np.float64)
    truth = {q: np.array([macro.quantities[q] for macro in macros]) for q in QUANTITIES}
    for quantity, values in truth.items():
        if not (values > 0).all():
            raise UserError(f"{quantity} of a macro must be positive, not {values.min()!r:.40}")
    model: dict[str, Any] = {
        "name": name,
        "source": f"{source} ({len(macros)} macros)",
        "feature_nm": feature_nm,
        "voltage_v": voltages.pop(),
        "scaled": False,
        "range": {
            "depth": [int(depth.min()), int(depth.max())],
            "width": [int(width.min()), int(width.max())],
        },
        "coefficients": {
            quantity: _coefficients(
                {term: TERMS[term](depth, width) for term in terms}, truth[quantity]
            )
            for quantity, terms in QUANTITIES.items()
        },
    }
    found = sram(model, depth, width)
    model["errors"] = {
        quantity: {
            macro.name: round(float(error), 4)
            for macro, error in zip(macros, found[quantity] / truth[quantity] - 1, strict=True)
        }
        for quantity in QUANTITIES
    }
    return model


def _coefficients(terms: Mapping[str, Floats], truth: Floats) -> dict[str, float]:
    """Least squares of the relative errors over every subset of terms; the best non-negative one.

    The optimum under the constraint is the plain optimum over the terms it leaves positive, so
    trying all subsets (at most 2^4) finds it exactly.
    """
    best: tuple[float, dict[str, float]] = (np.inf, {})
    for size in range(1, len(terms) + 1):
        for names in itertools.combinations(terms, size):
            matrix = np.stack([terms[name] for name in names], axis=1) / truth[:, np.newaxis]
            found = np.linalg.lstsq(matrix, np.ones(len(truth)), rcond=None)[0]
            error = float(((matrix @ found - 1) ** 2).sum())
            if (found >= 0).all() and error < best[0]:
                best = error, {n: float(f"{c:.6g}") for n, c in zip(names, found, strict=True)}
    return best[1]


def main(words: Sequence[str]) -> int:
    """Print the model of some macros; 2 and a message where they are none."""
    try:
        if len(words) < 4:
            raise UserError(f"words must be NAME FEATURE_NM SOURCE LIBERTY..., not {list(words)!r}")
        name, feature_nm, source, *paths = words
        found = fit(
            [read_macro(Path(path)) for path in paths],
            name=name,
            feature_nm=_number(feature_nm),
            source=source,
        )
    except UserError as error:
        print(f"memory_fit: error: {error}", file=sys.stderr)
        return 2
    yaml.safe_dump(found, sys.stdout, sort_keys=False)
    return 0


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f"FEATURE_NM must be a number of nm, not {text!r}") from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
