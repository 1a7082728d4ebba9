"""`Layer`: the shape of one convolution or matrix product, in the field's letters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from rtl_gen.errors import UserError
from rtl_gen.yaml_input import load_mapping

KINDS = ("conv", "fc", "matmul", "pool")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer: batch N, C channels of H x W in, M filters of R x S, stride U, padding.

    A fully connected layer (`fc`) has maps and kernels of 1 x 1.

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
    padding: int = 0
    dilation: int = 1
    groups: int = 1

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(f"kind must be one of {', '.join(KINDS)}, not {self.kind!r}")
        if not isinstance(self.name, str):
            raise UserError(f"name must be a string, not {self.name!r}")
        for field in fields(self)[2:]:
            value = getattr(self, field.name)
            low = 0 if field.name == "padding" else 1
            if not isinstance(value, int) or isinstance(value, bool) or value < low:
                raise UserError(f"{field.name} must be an integer of at least {low}, not {value!r}")
        self._check_shape()

    def _check_shape(self) -> None:
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise UserError(
                f"groups must divide in_channels and out_channels, not {self.groups!r} "
                f"for {self.in_channels} and {self.out_channels}"
            )
        for axis in ("height", "width"):
            size, kernel = getattr(self, f"in_{axis}"), getattr(self, f"kernel_{axis}")
            span = (kernel - 1) * self.dilation + 1
            if span > size + 2 * self.padding:
                raise UserError(
                    f"kernel_{axis} must fit in the padded map of {size + 2 * self.padding}, "
                    f"not {kernel!r} (with dilation {self.dilation})"
                )
            if self.kind == "fc" and (size != 1 or kernel != 1):
                raise UserError(
                    f"a fully connected layer must have in_{axis} and kernel_{axis} of 1, "
                    f"not {(size, kernel)!r}"
                )

    def _out(self, size: int, kernel: int) -> int:
        span = (kernel - 1) * self.dilation + 1
        return (size + 2 * self.padding - span) // self.stride + 1

    @property
    def out_height(self) -> int:
        """E, rows of an output map."""
        return self._out(self.in_height, self.kernel_height)

    @property
    def out_width(self) -> int:
        """F, columns of an output map."""
        return self._out(self.in_width, self.kernel_width)

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
        return asdict(self)


def load_layer(path: Path | str) -> Layer:
    """Read LAYER.yaml; raises `UserError` as `Layer` does."""
    return Layer.from_mapping(load_mapping(path))
