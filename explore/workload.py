"""Workloads: the layers of a network, from the tables in `networks/` or a file of the user's.

The file's form stands in docs/reference/workload-file.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rtl_gen.errors import UserError
from rtl_gen.layer import Layer
from rtl_gen.yaml_input import load_mapping

NETWORKS = Path(__file__).parent / "networks"
#: A map's (channels, height, width).
Shape = tuple[int, int, int]
_KEYS = ("name", "source", "input", "layers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One inference of a network.

    Parameters
    ----------
    name : for people and for file names.
    source : where the shapes come from.
    layers : in order of execution, pools included.
    """

    name: str
    source: str
    layers: tuple[Layer, ...]

    @property
    def computed(self) -> tuple[Layer, ...]:
        """The layers that the array runs: all but the pools, which have no weights."""
        return tuple(layer for layer in self.layers if layer.kind != "pool")

    def unique(self) -> tuple[tuple[Layer, int], ...]:
        """Each shape among `computed`, once, under its first name, and how often it occurs."""
        times = Counter(replace(layer, name="") for layer in self.computed)
        first: dict[Layer, Layer] = {}
        for layer in self.computed:
            first.setdefault(replace(layer, name=""), layer)
        return tuple((layer, times[shape]) for shape, layer in first.items())

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(layer.macs for layer in self.computed)

    @property
    def weights(self) -> int:
        """Weights, biases apart."""
        return sum(layer.weights for layer in self.computed)


def shipped() -> tuple[str, ...]:
    """Names of the networks in the repository."""
    return tuple(sorted(path.stem for path in NETWORKS.glob("*.yaml")))


def load_workload(name_or_path: str | Path) -> Workload:
    """Read a shipped network by name, or a file.

    Raises
    ------
    UserError
        When there is no such network or file, or the file breaks a rule of its form.
    """
    path = Path(name_or_path)
    if str(name_or_path) in shipped():
        path = NETWORKS / f"{name_or_path}.yaml"
    elif not path.is_file():
        raise UserError(
            f"workload must be one of {', '.join(shipped())}, or a YAML file, "
            f"not {str(name_or_path)!r}"
        )
    return _from_mapping(load_mapping(path), path)


def _from_mapping(content: Mapping[str, Any], path: Path) -> Workload:
    for key in content:
        if key not in _KEYS:
            raise UserError(f"{path}: keys must be among {', '.join(_KEYS)}, not {key!r}")
    rows = content.get("layers")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise UserError(f"{path}: layers must be a list of mappings, not {rows!r:.80}")
    name = str(content.get("name", path.stem))
    if not name or set(name) & set("/\\\0") or name.startswith("."):
        raise UserError(f"{path}: name must do as part of a file name, not {name!r}")
    layers = tuple(_layer(row, path) for row in rows)
    repeated = [
        name for name, times in Counter(layer.name for layer in layers).items() if times > 1
    ]
    if repeated:
        raise UserError(f"{path}: names of layers must differ, not {repeated[0]!r} twice")
    producers = [row.get("after") for row in rows]
    if "input" in content:
        _check_chain(_input_shape(content["input"], path), layers, producers, path)
    elif any(producers):
        raise UserError(f"{path}: `after` must come with the network's `input`, which is missing")
    if all(layer.kind == "pool" for layer in layers):
        raise UserError(f"{path}: layers must have one that is not a pool, not {len(layers)} pools")
    return Workload(name=name, source=str(content.get("source", path.name)), layers=layers)


def _layer(row: Mapping[str, Any], path: Path) -> Layer:
    # In a network the next layer reads codes, not sums, unless the file says otherwise.
    fields = {"output": "quantized", **row}
    fields.pop("after", None)
    try:
        return Layer.from_mapping(fields)
    except UserError as error:
        raise UserError(f"{path}: layer {row.get('name')!r}: {error}") from error


def _input_shape(value: Any, path: Path) -> Shape:
    names = ("channels", "height", "width")
    if not isinstance(value, dict) or set(value) != set(names):
        raise UserError(f"{path}: input must have the keys {', '.join(names)}, not {value!r:.80}")
    for name in names:
        if not isinstance(value[name], int) or isinstance(value[name], bool) or value[name] < 1:
            raise UserError(f"{path}: input {name} must be a positive integer, not {value[name]!r}")
    return (value["channels"], value["height"], value["width"])


def _check_chain(
    network_input: Shape, layers: tuple[Layer, ...], producers: list[Any], path: Path
) -> None:
    """Every layer must read the shape that its producer writes.

    An `fc` reads it flattened, a `matmul` a row a pixel.
    """
    shapes = {"input": network_input}
    previous = "input"
    for layer, producer in zip(layers, producers, strict=True):
        source = previous if producer is None else producer
        if not isinstance(source, str) or source not in shapes:
            raise UserError(
                f"{path}: layer {layer.name!r}: after must name an earlier layer, not {source!r}"
            )
        shape = shapes[source]
        if layer.kind == "fc":
            shape = (shape[0] * shape[1] * shape[2], 1, 1)
        elif layer.kind == "matmul":
            shape = (shape[0], shape[1] * shape[2], 1)
        reads = (layer.in_channels, layer.in_height, layer.in_width)
        if reads != shape:
            raise UserError(
                f"{path}: layer {layer.name!r} must read what {source!r} gives, "
                f"channels x height x width {shape}, not {reads}"
            )
        shapes[layer.name] = (layer.out_channels, layer.out_height, layer.out_width)
        previous = layer.name
