"""Single-port SRAM: area, energy, leakage and access time from depth and width.

A model is a mapping of plain types, so that technology files and model files can hold it: for
every quantity a sum of terms, all growing with depth and width, with coefficients that are not
negative. It is asked only for macros of the sizes it was fitted to (`range`): a memory that is
wider or deeper is built of several, as a designer would; one that is smaller takes the smallest
macro and leaves a part of it unused.

`memory_fit.py` fits one to the macros of Liberty files; `scale` carries it to a technology that
has no data of its own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtl_gen.errors import UserError
from rtl_gen.yaml_input import load_mapping

Floats = NDArray[np.float64]

#: Models that ship: MEMORIES / NAME.yaml.
MEMORIES = Path(__file__).parent / "memories"

TERMS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "one": lambda depth, width: np.ones(np.broadcast_shapes(depth.shape, width.shape)),
    "width": lambda depth, width: np.broadcast_arrays(width, depth)[0],
    "depth": lambda depth, width: np.broadcast_arrays(depth, width)[0],
    "sqrt_depth": lambda depth, width: np.sqrt(np.broadcast_arrays(depth, width)[0]),
    "bits": lambda depth, width: depth * width,
}

#: Quantity -> its terms. Areas, energies and leakage: periphery, columns, rows, cells. The access
#: time goes with the length of the bit lines, which grows less than the depth in banked macros.
QUANTITIES: dict[str, tuple[str, ...]] = {
    "area_um2": ("one", "width", "depth", "bits"),
    "read_pj": ("one", "width", "depth", "bits"),
    "write_pj": ("one", "width", "depth", "bits"),
    "idle_pj": ("one", "width", "depth", "bits"),
    "leakage_mw": ("one", "width", "depth", "bits"),
    "access_ns": ("one", "sqrt_depth", "bits"),
}

#: How each quantity goes with feature size and supply voltage: the two exponents. Capacitance goes
#: with length, energy is C V^2, delay goes with length while the field V / length stays (which is
#: within 9% so from 130 nm at 1.2 V to 180 nm at 1.8 V and 350 nm at 3.3 V); leakage current is
#: taken as the same per width, which is too much for older processes, whose thresholds are higher.
#: Source: R. Dennard et al., IEEE J. Solid-State Circuits 9(5), 1974, table I.
SCALING: dict[str, tuple[int, int]] = {
    "area_um2": (2, 0),
    "read_pj": (1, 2),
    "write_pj": (1, 2),
    "idle_pj": (1, 2),
    "leakage_mw": (1, 1),
    "access_ns": (1, 0),
}


def sram(model: Mapping[str, Any], depth: ArrayLike, width: ArrayLike) -> dict[str, Any]:
    """One memory of `depth` words of `width` bits, or a table of them.

    Parameters
    ----------
    model : see the head of this file.
    depth, width : at least 1; arrays of shapes that broadcast.

    Returns
    -------
    dict : arrays `area_um2`, `read_pj` and `write_pj` per access, `idle_pj` per cycle without one,
        `leakage_mw`, `access_ns`, `macros` (how many it is built of), and `scaled` (bool: whether
        the model comes from another technology) with its `source`. An access wakes one bank: all
        macros beside one another, one of those above one another; what the others take for idling
        meanwhile is part of the access. Their multiplexers and wires are left out.

    Raises
    ------
    UserError : the model lacks a quantity, or a size is less than 1.
    """
    rows, columns = np.asarray(depth, np.float64), np.asarray(width, np.float64)
    for name, sizes in (("depth", rows), ("width", columns)):
        if not (sizes >= 1).all():
            raise UserError(f"{name} of a memory must be at least 1, not {sizes.min()!r}")
    try:
        (shallow, deep), (narrow, wide) = (model["range"][name] for name in ("depth", "width"))
        banks, slices = np.ceil(rows / deep), np.ceil(columns / wide)
        rows = np.maximum(np.ceil(rows / banks), shallow)
        columns = np.maximum(np.ceil(columns / slices), narrow)
        one = {
            quantity: sum(
                coefficient * TERMS[term](rows, columns)
                for term, coefficient in model["coefficients"][quantity].items()
            )
            for quantity in QUANTITIES
        }
        macros = banks * slices
        asleep = (macros - slices) * one["idle_pj"]
        result: dict[str, Any] = {
            "area_um2": macros * one["area_um2"],
            "read_pj": slices * one["read_pj"] + asleep,
            "write_pj": slices * one["write_pj"] + asleep,
            "idle_pj": macros * one["idle_pj"],
            "leakage_mw": macros * one["leakage_mw"],
            "access_ns": 1.0 * one["access_ns"],
        }
        result["macros"] = macros.astype(np.int64)
        return {**result, "scaled": bool(model["scaled"]), "source": str(model["source"])}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"memories must be a memory model with coefficients of {', '.join(QUANTITIES)}, "
            f"range, scaled and source: {error!r}"
        ) from error


@functools.cache
def _read(name: str) -> dict[str, Any]:
    path = Path(name) if name.endswith(".yaml") else MEMORIES / f"{name}.yaml"
    if not name.endswith(".yaml") and not path.is_file():
        known = ", ".join(sorted(file.stem for file in MEMORIES.glob("*.yaml")))
        raise UserError(
            f"memory model must be one that ships ({known}), or a .yaml file, not {name!r}"
        )
    model: dict[str, Any] = load_mapping(path)
    for key in ("feature_nm", "voltage_v"):
        value = model.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise UserError(f"{path}: {key} must be a number above 0, not {value!r}")
    try:
        sram(model, 64, 16)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return model


def memory_model(name: str, *, feature_nm: float, voltage_v: float) -> dict[str, Any]:
    """The model that ships under this name, or that is in this file (.yaml, as `memory_fit` writes
    it), scaled unless feature size and voltage are its own."""
    model = _read(name)
    if (feature_nm, voltage_v) == (model["feature_nm"], model["voltage_v"]):
        return dict(model)
    return scale(model, feature_nm=feature_nm, voltage_v=voltage_v)


def scale(model: Mapping[str, Any], *, feature_nm: float, voltage_v: float) -> dict[str, Any]:
    """The model carried to another technology by the exponents of `SCALING`, and marked so."""
    for name, value in (("feature_nm", feature_nm), ("voltage_v", voltage_v)):
        if not value > 0:
            raise UserError(f"{name} must be positive, not {value!r}")
    shrink, volts = feature_nm / model["feature_nm"], voltage_v / model["voltage_v"]
    own = f"{model['feature_nm']:g} nm at {model['voltage_v']:g} V"
    return {
        **model,
        "feature_nm": feature_nm,
        "voltage_v": voltage_v,
        "scaled": True,
        "source": f"scaled from {own}: {model['source']}",
        "coefficients": {
            quantity: {
                term: float(value * shrink ** SCALING[quantity][0] * volts ** SCALING[quantity][1])
                for term, value in terms.items()
            }
            for quantity, terms in model["coefficients"].items()
        },
    }
