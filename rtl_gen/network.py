"""`Network`: a quantized network with its numbers, run step by step.

Layers run on the accelerator (or on whatever stands for it), pools and residuals on the host. Every
step takes the codes that the step before put out; an addition takes those of one more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.formats import Arithmetic
from rtl_gen.host import Addition, HostRun, add, average_pool, check_pool, max_pool
from rtl_gen.layer import Layer
from rtl_gen.mapper import best_mapping, check
from rtl_gen.output_stage import OutputStage
from rtl_gen.reference import check_tensors, golden_layer

Codes = NDArray[np.int64]
#: A map's (channels, height, width).
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerStep:
    """A layer for the accelerator, of one image; weights (M, C / groups, R, S)."""

    layer: Layer
    weights: Codes
    stage: OutputStage

    @property
    def name(self) -> str:
        return self.layer.name


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStep:
    """A pool, "max" or "average", on the host; codes keep their zero point."""

    layer: Layer
    mode: str

    @property
    def name(self) -> str:
        return self.layer.name


@dataclass(frozen=True, slots=True, kw_only=True)
class AddStep:
    """The output of the step before, and that of an earlier one (`other`), added on the host."""

    name: str
    other: str
    addition: Addition


Step = LayerStep | PoolStep | AddStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A classifier: the largest code of its last output is the class.

    Parameters
    ----------
    name : for people.
    arithmetic : of all layers.
    steps : in the order in which they run.
    images : codes (N, C, H, W) to classify. zero_point : the code of zero in them.
    labels : (N,), what they show.

    Raises
    ------
    UserError
        When steps don't fit together, or a number does not fit its place.
    """

    name: str
    arithmetic: Arithmetic
    steps: tuple[Step, ...]
    images: Codes
    zero_point: int
    labels: Codes

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or not len(self.images):
            raise UserError(f"images must be of shape (N, C, H, W), not {self.images.shape}")
        try:
            self.arithmetic.activation.decode(self.images)
            self.arithmetic.activation.decode([self.zero_point])
        except UserError as error:
            raise UserError(f"images and their zero point: {error}") from error
        if self.labels.shape != (len(self.images),):
            raise UserError(
                f"labels must be one an image ({len(self.images)}), not {self.labels.shape}"
            )
        classes = int(np.prod(_check_steps(self)))
        wrong = self.labels[(self.labels < 0) | (self.labels >= classes)]
        if wrong.size:
            raise UserError(f"labels must be from 0 to {classes - 1}, not {int(wrong[0])}")

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Those for the accelerator, over all images at once."""
        return tuple(
            replace(step.layer, batch=len(self.images))
            for step in self.steps
            if isinstance(step, LayerStep)
        )

    def accuracy(self, ofmap: Codes) -> float:
        """The share of images whose class is right; the first of equal codes counts."""
        chosen = ofmap.reshape(len(ofmap), -1).argmax(axis=1)
        return float(np.mean(chosen == self.labels))


def _check_steps(network: Network) -> Shape:
    """Refuse steps that don't fit together; return the shape of the last output."""
    if not network.steps:
        raise UserError("steps must be at least one, there is none")
    shape, zero_point = network.images.shape[1:], network.zero_point
    made: dict[str, tuple[Shape, int]] = {}
    for step in network.steps:
        if step.name in made:
            raise UserError(f"names of steps must differ, not {step.name!r} twice")
        try:
            shape, zero_point = _check_step(network.arithmetic, step, shape, zero_point, made)
        except UserError as error:
            raise UserError(f"step {step.name!r}: {error}") from error
        made[step.name] = shape, zero_point
    return shape


def _check_step(
    arithmetic: Arithmetic,
    step: Step,
    shape: Shape,
    zero_point: int,
    made: dict[str, tuple[Shape, int]],
) -> tuple[Shape, int]:
    """Check a step whose input has this shape and zero point; return those of its output."""
    if isinstance(step, AddStep):
        step.addition.check(arithmetic)
        other = made.get(step.other)
        if other is None:
            raise UserError(f"what is added must be an earlier step, not {step.other!r}")
        if other[0] != shape:
            raise UserError(f"maps to add must be of one shape, not {shape} and {other[0]}")
        if step.addition.zero_points != (zero_point, other[1]):
            raise UserError(
                f"zero points must be those of the inputs, {(zero_point, other[1])}, "
                f"not {step.addition.zero_points}"
            )
        return shape, step.addition.zero_point
    layer = step.layer
    if layer.batch != 1:
        raise UserError(f"batch must be 1 (it comes with the images), not {layer.batch}")
    flat = (int(np.prod(shape)), 1, 1)
    if layer.ifmap_shape[1:] not in ((shape, flat) if layer.kind == "fc" else (shape,)):
        raise UserError(
            f"input must be {shape}, the output of the step before, not {layer.ifmap_shape[1:]}"
        )
    if isinstance(step, PoolStep):
        check_pool(layer)
        return layer.ofmap_shape[1:], zero_point
    if any(layer.padding) and layer.padding_value != zero_point:
        raise UserError(
            f"padding_value must be the input's zero point, {zero_point}, not {layer.padding_value}"
        )
    if layer.output != "quantized":
        raise UserError(f"output must be quantized in a network, not {layer.output!r}")
    check_tensors(arithmetic, layer, np.zeros(layer.ifmap_shape, np.int64), step.weights)
    step.stage.check(arithmetic, layer)
    return layer.ofmap_shape[1:], step.stage.zero_point


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a step put out (N, M, E, F), and on the host the words that it moved."""

    step: Step
    ofmap: Codes
    host: HostRun | None = None


#: Runs one layer: (layer of N images, ifmap (N, C, H, W), weights, stage) -> codes (N, M, E, F).
RunLayer = Callable[[Layer, Codes, Codes, OutputStage], Codes]


def forward(network: Network, run_layer: RunLayer) -> Iterator[Outcome]:
    """Run all images through all steps, layers by `run_layer`; yield every step's outcome."""
    codes, zero_point = network.images, network.zero_point
    made: dict[str, Codes] = {}
    for step in network.steps:
        host = None
        match step:
            case LayerStep():
                layer = replace(step.layer, batch=len(codes))
                ifmap = codes.reshape(layer.ifmap_shape)
                codes, zero_point = (
                    run_layer(layer, ifmap, step.weights, step.stage),
                    step.stage.zero_point,
                )
            case PoolStep(layer=layer, mode="max"):
                host = max_pool(layer, codes)
            case PoolStep(layer=layer):
                host = average_pool(layer, codes, zero_point)
            case AddStep(addition=addition):
                host = add(codes, made[step.other], addition)
                zero_point = addition.zero_point
        codes = codes if host is None else host.ofmap
        made[step.name] = codes
        yield Outcome(step=step, ofmap=codes, host=host)


def golden(network: Network, config: AcceleratorConfig) -> Iterator[Outcome]:
    """What `config` must put out: every step in plain numpy."""

    def run_layer(layer: Layer, ifmap: Codes, weights: Codes, stage: OutputStage) -> Codes:
        mapping = best_mapping(config, layer)
        sums = golden_layer(config.arithmetic, layer, ifmap, weights, mapping)
        return stage.apply(config.arithmetic, sums)

    return forward(network, run_layer)


def check_network(config: AcceleratorConfig, network: Network) -> None:
    """Refuse a network whose formats or layers `config` can't run (`UserError`)."""
    ours, theirs = config.arithmetic, network.arithmetic
    if (ours.activation, ours.weight) != (theirs.activation, theirs.weight):
        raise UserError(
            f"arithmetic must be {theirs.name} for the network {network.name!r}, not {ours.name!r}"
        )
    for step in network.steps:
        if isinstance(step, LayerStep):
            try:
                step.stage.check(config.arithmetic, step.layer)
            except UserError as error:
                raise UserError(f"step {step.name!r}: {error}") from error
    for layer in network.layers:
        check(config, layer)
