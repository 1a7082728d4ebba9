"""`Layer`: the shape of one convolution or matrix product, in the field's letters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from rtl_gen.errors import UserError
from rtl_gen.yaml_input import load_mapping

KINDS = ("conv", "fc", "matmul", "pool")
OUTPUTS = ("raw", "quantized")
#: Fields that count, all integers of at least 1.
COUNTS = (
    *("batch", "in_channels", "in_height", "in_width", "out_channels"),
    *("kernel_height", "kernel_width", "stride", "dilation", "groups"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer: batch N, C channels of H x W in, M filters of R x S, stride U, padding.

    A fully connected layer (`fc`) has maps and kernels of 1 x 1. A matrix product (`matmul`) of
    (rows x K) and (K x columns) has in_height rows, in_channels K and out_channels columns.

    Parameters
    ----------
    padding : columns and rows of `padding_value` around the map: one number for all sides, or
        (top, left, bottom, right), which is the order of ONNX. Kept as the four.
    padding_value : code that stands for zero in the input, its zero point.
    output : "raw" accumulators, or "quantized" by the output stage (`rtl_gen.output_stage`).

    Raises
    ------
    UserError
        When a size is not a positive integer, or the kernel does not fit the padded map.
    """

    name: str
    kind: str
    batch: int = 1
    in_channels: int
    in_height: int = 1
    in_width: int = 1
    out_channels: int
    kernel_height: int = 1
    kernel_width: int = 1
    stride: int = 1
    padding: Any = 0
    dilation: int = 1
    groups: int = 1
    padding_value: int = 0
    output: str = "raw"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(f"kind must be one of {', '.join(KINDS)}, not {self.kind!r}")
        if self.output not in OUTPUTS:
            raise UserError(f"output must be one of {', '.join(OUTPUTS)}, not {self.output!r}")
        if not isinstance(self.name, str):
            raise UserError(f"name must be a string, not {self.name!r}")
        for name in COUNTS:
            value = getattr(self, name)
            if not _is_count(value, 1):
                raise UserError(f"{name} must be an integer of at least 1, not {value!r}")
        if not isinstance(self.padding_value, int) or isinstance(self.padding_value, bool):
            raise UserError(f"padding_value must be an integer, not {self.padding_value!r}")
        object.__setattr__(self, "padding", _four_sides(self.padding))
        self._check_shape()

    def _check_shape(self) -> None:
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise UserError(
                f"groups must divide in_channels and out_channels, not {self.groups!r} "
                f"for {self.in_channels} and {self.out_channels}"
            )
        sides = (self.padding[0] + self.padding[2], self.padding[1] + self.padding[3])
        for axis, padding in zip(("height", "width"), sides, strict=True):
            size, kernel = getattr(self, f"in_{axis}"), getattr(self, f"kernel_{axis}")
            span = (kernel - 1) * self.dilation + 1
            if span > size + padding:
                raise UserError(
                    f"kernel_{axis} must fit in the padded map of {size + padding}, "
                    f"not {kernel!r} (with dilation {self.dilation})"
                )
            if self.kind == "fc" and (size != 1 or kernel != 1):
                raise UserError(
                    f"a fully connected layer must have in_{axis} and kernel_{axis} of 1, "
                    f"not {(size, kernel)!r}"
                )
        if self.kind == "matmul" and (
            self.in_width,
            self.kernel_height,
            self.kernel_width,
            self.stride,
        ) != (1, 1, 1, 1):
            raise UserError(
                "a matrix product must have in_width, kernel and stride of 1, not "
                f"{(self.in_width, self.kernel_height, self.kernel_width, self.stride)!r}"
            )

    def _out(self, size: int, kernel: int, padding: int) -> int:
        span = (kernel - 1) * self.dilation + 1
        return (size + padding - span) // self.stride + 1

    @property
    def out_height(self) -> int:
        """E, rows of an output map."""
        return self._out(self.in_height, self.kernel_height, self.padding[0] + self.padding[2])

    @property
    def out_width(self) -> int:
        """F, columns of an output map."""
        return self._out(self.in_width, self.kernel_width, self.padding[1] + self.padding[3])

    @property
    def taps(self) -> int:
        """Products summed into one output: C / groups * R * S."""
        return self.in_channels // self.groups * self.kernel_height * self.kernel_width

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the layer, those on padding included (the usual count)."""
        outputs = self.batch * self.out_channels * self.out_height * self.out_width
        return outputs * self.taps

    @property
    def weights(self) -> int:
        """Number of weights."""
        return self.out_channels * self.taps

    @property
    def ifmap_shape(self) -> tuple[int, int, int, int]:
        """(N, C, H, W)."""
        return (self.batch, self.in_channels, self.in_height, self.in_width)

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """(M, C / groups, R, S)."""
        per_group = self.in_channels // self.groups
        return (self.out_channels, per_group, self.kernel_height, self.kernel_width)

    @property
    def ofmap_shape(self) -> tuple[int, int, int, int]:
        """(N, M, E, F)."""
        return (self.batch, self.out_channels, self.out_height, self.out_width)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Layer:
        """Build from the keys of a YAML file: the fields of `Layer` by name."""
        names = [field.name for field in fields(cls)]
        for key in mapping:
            if key not in names:
                raise UserError(f"layer keys must be among {', '.join(names)}, not {key!r}")
        for name in ("name", "kind", "in_channels", "out_channels"):
            if name not in mapping:
                raise UserError(f"layer must have the key {name!r}, it has {sorted(mapping)!r}")
        return cls(**mapping)

    def to_mapping(self) -> dict[str, Any]:
        """The YAML form; `from_mapping` reads it back."""
        return {**asdict(self), "padding": list(self.padding)}


def _is_count(value: object, low: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= low


def _four_sides(padding: object) -> tuple[int, ...]:
    """(top, left, bottom, right) from one number or the four."""
    sides = tuple(padding) if isinstance(padding, list | tuple) else (padding,) * 4
    if len(sides) != 4 or not all(_is_count(side, 0) for side in sides):
        raise UserError(
            "padding must be an integer of at least 0, or four: top, left, bottom, right; "
            f"not {padding!r}"
        )
    return sides


def load_layer(path: Path | str) -> Layer:
    """Read LAYER.yaml; raises `UserError` as `Layer` does."""
    return Layer.from_mapping(load_mapping(path))
