"""Networks as files: steps in YAML, numbers in an npz beside it; some are shipped.

The YAML has `name`, `arithmetic`, `tensors` (the npz) and `steps`. A step is one of
`layer: {fields of Layer}`, `max_pool: {...}`, `average_pool: {...}` or
`add: {name: ..., other: STEP}`. The npz has `images` (N, C, H, W), `labels` (N,) and the images'
`zero_point`; of every layer `NAME.weights`, `NAME.bias` and so on (`LAYER_NUMBERS`); of every
addition `NAME.zero_points` and so on (`ADD_NUMBERS`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtl_gen.errors import UserError
from rtl_gen.formats import arithmetic
from rtl_gen.host import Addition
from rtl_gen.layer import Layer
from rtl_gen.network import AddStep, LayerStep, Network, PoolStep, Step
from rtl_gen.npz_input import load_integers
from rtl_gen.output_stage import OutputStage
from rtl_gen.yaml_input import load_mapping

Arrays = dict[str, NDArray[np.int64]]

NETWORKS = Path(__file__).parent / "networks"
LAYER_NUMBERS = ("weights", "bias", "multiplier", "shift", "zero_point", "low", "high")
ADD_NUMBERS = ("zero_points", "multipliers", "shift", "zero_point", "low", "high")
_KEYS = ("name", "arithmetic", "tensors", "steps")
_IMAGES = ("images", "labels", "zero_point")
#: Kind of step -> what the npz must hold of it.
_NUMBERS = {"layer": LAYER_NUMBERS, "add": ADD_NUMBERS, "max_pool": (), "average_pool": ()}


def shipped() -> tuple[str, ...]:
    """Names of the networks in the repository."""
    return tuple(sorted(path.stem for path in NETWORKS.glob("*.yaml")))


def load_network(name_or_path: str | Path) -> Network:
    """Read a shipped network by name, or a file.

    Raises
    ------
    UserError
        When there is no such network or file, or one of its two files breaks a rule.
    """
    path = Path(name_or_path)
    if str(name_or_path) in shipped():
        path = NETWORKS / f"{name_or_path}.yaml"
    elif not path.is_file():
        raise UserError(
            f"network must be one of {', '.join(shipped())}, or a YAML file, "
            f"not {str(name_or_path)!r}"
        )
    content = load_mapping(path)
    if set(content) != set(_KEYS) or not all(isinstance(content[key], str) for key in _KEYS[:3]):
        raise UserError(
            f"{path} must have the keys {', '.join(_KEYS)}, the first three of them words, "
            f"not {content!r:.80}"
        )
    rows = [_row(row, path) for row in _list(content["steps"], path)]
    arrays = _arrays(path.parent / content["tensors"], rows, path)
    try:
        return Network(
            name=content["name"],
            arithmetic=arithmetic(content["arithmetic"]),
            steps=tuple(_step(kind, row, arrays) for kind, row in rows),
            images=arrays["images"],
            zero_point=_number(arrays, "zero_point"),
            labels=arrays["labels"],
        )
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _arrays(tensors: Path, rows: list[tuple[str, Mapping[str, Any]]], path: Path) -> Arrays:
    """The arrays of the npz: all that the steps need, and no other."""
    arrays = load_integers(tensors)
    wanted = {f"{row['name']}.{number}" for kind, row in rows for number in _NUMBERS[kind]}
    wanted |= set(_IMAGES)
    for name in sorted(wanted ^ set(arrays)):
        what = "hold" if name in wanted else "not hold"
        raise UserError(f"{tensors} must {what} the array {name!r} for the steps of {path}")
    return arrays


def _list(rows: Any, path: Path) -> list[Any]:
    if not isinstance(rows, list) or not rows:
        raise UserError(f"{path}: steps must be a list of at least one, not {rows!r:.80}")
    return rows


def _row(row: Any, path: Path) -> tuple[str, Mapping[str, Any]]:
    """Kind and fields of a step."""
    kind, fields = next(iter(row.items())) if isinstance(row, dict) and len(row) == 1 else ("", {})
    if kind not in _NUMBERS or not isinstance(fields, dict):
        raise UserError(
            f"{path}: a step must be one of {', '.join(_NUMBERS)} with its fields, not {row!r:.80}"
        )
    words = ("name", "other") if kind == "add" else ("name",)
    if not all(isinstance(fields.get(word), str) for word in words):
        raise UserError(f"{path}: a step must have {' and '.join(words)}, words, not {row!r:.80}")
    if kind == "add" and len(fields) != len(words):
        raise UserError(f"{path}: an add must have name and other only, not {sorted(fields)!r}")
    return kind, fields


def _step(kind: str, fields: Mapping[str, Any], arrays: Arrays) -> Step:
    name = fields["name"]
    if kind == "add":
        return AddStep(name=name, other=fields["other"], addition=_addition(name, arrays))
    layer = _named(name, fields)
    if kind != "layer":
        return PoolStep(layer=layer, mode=kind.removesuffix("_pool"))
    stage = OutputStage(
        bias=arrays[f"{name}.bias"],
        multiplier=arrays[f"{name}.multiplier"],
        shift=arrays[f"{name}.shift"],
        zero_point=_number(arrays, f"{name}.zero_point"),
        low=_number(arrays, f"{name}.low"),
        high=_number(arrays, f"{name}.high"),
    )
    return LayerStep(layer=layer, weights=arrays[f"{name}.weights"], stage=stage)


def _named(name: str, fields: Mapping[str, Any]) -> Layer:
    try:
        return Layer.from_mapping(fields)
    except UserError as error:
        raise UserError(f"step {name!r}: {error}") from error


def _addition(name: str, arrays: Arrays) -> Addition:
    return Addition(
        zero_points=_pair(arrays, f"{name}.zero_points"),
        multipliers=_pair(arrays, f"{name}.multipliers"),
        shift=_number(arrays, f"{name}.shift"),
        zero_point=_number(arrays, f"{name}.zero_point"),
        low=_number(arrays, f"{name}.low"),
        high=_number(arrays, f"{name}.high"),
    )


def _pair(arrays: Arrays, name: str) -> tuple[int, int]:
    if arrays[name].shape != (2,):
        raise UserError(f"{name} must be two numbers, not of shape {arrays[name].shape}")
    return int(arrays[name][0]), int(arrays[name][1])


def _number(arrays: Arrays, name: str) -> int:
    if arrays[name].size != 1:
        raise UserError(f"{name} must be one number, not of shape {arrays[name].shape}")
    return int(arrays[name].item())
