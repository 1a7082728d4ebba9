#!/usr/bin/env python3
"""Train the layers of rtl_gen/networks/digits.yaml on scikit-learn's digits; quantize to int8.

Shapes come from the YAML, the numbers go to the npz beside it: weights, output stages, and the
codes of the test images with their labels. Trained with Adam in plain numpy; the residual and the
last layers are::

    conv1 -> ReLU -> conv2 -> ReLU -> conv3 -(+ conv2's)-> ReLU -> max pool -> fc

Usage: ``.venv/bin/python scripts/make_digits_network.py [--output FILE]``; some seconds on one
core (see rtl_gen/networks/README.md).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from rtl_gen.host import Addition
from rtl_gen.layer import Layer
from rtl_gen.network_file import NETWORKS
from rtl_gen.output_stage import OutputStage
from rtl_gen.yaml_input import load_mapping

Array = NDArray[np.float32]
Codes = NDArray[np.int64]
Parameters = dict[str, Array]
Maps = dict[str, Array]

SEED = 0
EPOCHS = 15
BATCH = 32
LEARNING_RATE = 2e-3
TEST_IMAGES = 360
#: Codes of int8, and how many steps lie between the first and the last.
LOW, HIGH = -128, 127
STEPS = HIGH - LOW


def layers() -> dict[str, Layer]:
    """The convolutions and the last layer, by name."""
    rows = [
        row["layer"] for row in load_mapping(NETWORKS / "digits.yaml")["steps"] if "layer" in row
    ]
    return {row["name"]: Layer.from_mapping(row) for row in rows}


LAYERS = layers()


def padded(layer: Layer, images: Array) -> Array:
    """Return the images with their zeros around."""
    top, left, bottom, right = layer.padding
    return np.pad(images, ((0, 0), (0, 0), (top, bottom), (left, right)))


def taps(layer: Layer, maps: Array) -> Iterator[tuple[int, int, Array]]:
    """Yield every tap (row, column) of a kernel, and the pixels of `maps` that it meets."""
    for row in range(layer.kernel_height):
        for column in range(layer.kernel_width):
            rows = slice(row, row + layer.stride * (layer.out_height - 1) + 1, layer.stride)
            columns = slice(column, column + layer.stride * (layer.out_width - 1) + 1, layer.stride)
            yield row, column, maps[:, :, rows, columns]


def convolve(parameters: Parameters, name: str, images: Array) -> Array:
    """Return a convolution (images, M, E, F), bias included."""
    layer, weights = LAYERS[name], parameters[f"{name}.weights"]
    result = np.zeros((len(images), *layer.ofmap_shape[1:]), np.float32)
    result += parameters[f"{name}.bias"][:, None, None]
    for row, column, pixels in taps(layer, padded(layer, images)):
        result += np.einsum("mc,ncef->nmef", weights[:, :, row, column], pixels, optimize=True)
    return result


def convolve_back(
    parameters: Parameters, name: str, images: Array, slope: Array, slopes: Parameters
) -> Array:
    """Add the loss gradients by weights and bias to `slopes`; return that by the images."""
    layer, weights = LAYERS[name], parameters[f"{name}.weights"]
    maps = padded(layer, images)
    by_maps, by_weights = np.zeros_like(maps), np.zeros_like(weights)
    for (row, column, pixels), (_, _, back) in zip(
        taps(layer, maps), taps(layer, by_maps), strict=True
    ):
        by_weights[:, :, row, column] = np.einsum("nmef,ncef->mc", slope, pixels, optimize=True)
        back += np.einsum("mc,nmef->ncef", weights[:, :, row, column], slope, optimize=True)
    slopes[f"{name}.weights"], slopes[f"{name}.bias"] = by_weights, slope.sum(axis=(0, 2, 3))
    top, left, _, _ = layer.padding
    return by_maps[:, :, top : top + layer.in_height, left : left + layer.in_width]


def forward(parameters: Parameters, images: Array) -> Maps:
    """Return the output of every step, by name."""
    maps = {"images": images}
    maps["conv1"] = np.maximum(convolve(parameters, "conv1", images), 0)
    maps["conv2"] = np.maximum(convolve(parameters, "conv2", maps["conv1"]), 0)
    maps["conv3"] = convolve(parameters, "conv3", maps["conv2"])
    maps["residual"] = np.maximum(maps["conv3"] + maps["conv2"], 0)
    maps["pool"] = tiles(maps["residual"]).max(axis=(3, 5))
    maps["fc"] = convolve(parameters, "fc", maps["pool"].reshape(len(images), -1, 1, 1))
    return maps


def tiles(maps: Array) -> Array:
    """Return 2 x 2 tiles: (images, channels, rows, 2, columns, 2)."""
    count, channels, height, width = maps.shape
    return maps.reshape(count, channels, height // 2, 2, width // 2, 2)


def gradients(parameters: Parameters, images: Array, labels: Codes) -> Parameters:
    """Return the gradient of the mean cross-entropy loss by every parameter."""
    maps = forward(parameters, images)
    error = np.exp(maps["fc"] - maps["fc"].max(axis=1, keepdims=True))
    error /= error.sum(axis=1, keepdims=True)
    error[np.arange(len(labels)), labels] -= 1
    error /= len(labels)
    slopes: Parameters = {}
    flat = maps["pool"].reshape(len(images), -1, 1, 1)
    back = convolve_back(parameters, "fc", flat, error, slopes).reshape(maps["pool"].shape)
    winners = tiles(maps["residual"]) == maps["pool"][:, :, :, None, :, None]
    back = (winners * back[:, :, :, None, :, None]).reshape(maps["residual"].shape)
    back = back * (maps["residual"] > 0)
    back = back + convolve_back(parameters, "conv3", maps["conv2"], back, slopes)
    back = convolve_back(parameters, "conv2", maps["conv1"], back * (maps["conv2"] > 0), slopes)
    convolve_back(parameters, "conv1", images, back * (maps["conv1"] > 0), slopes)
    return slopes


def train(images: Array, labels: Codes) -> Parameters:
    """Return parameters trained by Adam, from He-initialised weights.

    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1.
    """
    random = np.random.default_rng(SEED)
    parameters: Parameters = {}
    for name, layer in LAYERS.items():
        weights = random.standard_normal(layer.weight_shape) * np.sqrt(2 / layer.taps)
        parameters[f"{name}.weights"] = weights.astype(np.float32)
        parameters[f"{name}.bias"] = np.zeros(layer.out_channels, np.float32)
    mean = {name: np.zeros_like(value) for name, value in parameters.items()}
    square = {name: np.zeros_like(value) for name, value in parameters.items()}
    step = 0
    for _ in range(EPOCHS):
        order = random.permutation(len(images))
        for batch in np.array_split(order, -(-len(images) // BATCH)):
            step += 1
            for name, slope in gradients(parameters, images[batch], labels[batch]).items():
                mean[name] += 0.1 * (slope - mean[name])
                square[name] += 0.001 * (slope**2 - square[name])
                unbiased = mean[name] / (1 - 0.9**step)
                spread = np.sqrt(square[name] / (1 - 0.999**step)) + 1e-8
                parameters[name] -= LEARNING_RATE * unbiased / spread
    return parameters


def grid(maps: Array) -> tuple[float, int]:
    """Return scale and zero point of the codes that span these reals, zero among them."""
    low, high = min(float(maps.min()), 0.0), max(float(maps.max()), 0.0)
    scale = (high - low) / STEPS
    return scale, int(np.rint(LOW - low / scale))


def quantized(parameters: Parameters, maps: Maps) -> dict[str, Any]:
    """Return every array of the npz but images and labels.

    Parameters
    ----------
    maps : what the float network puts out for the training images, the ranges of the codes.
    """
    grids = {name: grid(values) for name, values in maps.items()}
    grids["pool"] = grids["residual"]  # a pool keeps its codes
    arrays: dict[str, Any] = {"zero_point": np.int8(grids["images"][1])}
    for name, source in (
        ("conv1", "images"),
        ("conv2", "conv1"),
        ("conv3", "conv2"),
        ("fc", "pool"),
    ):
        arrays |= layer_arrays(parameters, name, grids[source], grids[name])
    (conv3, zero3), (conv2, zero2), (after, zero_after) = (
        grids[name] for name in ("conv3", "conv2", "residual")
    )
    addition = Addition.from_scales(
        (conv3 / after, conv2 / after),
        zero_points=(zero3, zero2),
        zero_point=zero_after,
        low=LOW,
        high=HIGH,
    )
    arrays["residual.zero_points"] = np.array(addition.zero_points, np.int8)
    arrays["residual.multipliers"] = np.array(addition.multipliers, np.uint16)
    for number in ("shift", "zero_point", "low", "high"):
        arrays[f"residual.{number}"] = np.int8(getattr(addition, number))
    return arrays


def layer_arrays(
    parameters: Parameters, name: str, before: tuple[float, int], after: tuple[float, int]
) -> dict[str, Any]:
    """Return the arrays of a layer between two grids; weights are symmetric, by filter."""
    weights = parameters[f"{name}.weights"].astype(np.float64)
    scale = np.abs(weights).max(axis=(1, 2, 3)) / HIGH
    codes = np.rint(weights / scale[:, None, None, None]).astype(np.int64)
    bias = np.rint(parameters[f"{name}.bias"] / (before[0] * scale)).astype(np.int64)
    stage = OutputStage.from_scales(
        before[0] * scale / after[0],
        # The input's zero point, times all weights, is taken off here and never again.
        bias - before[1] * codes.sum(axis=(1, 2, 3)),
        # Where a ReLU follows, after[1] is LOW: the clamp is the ReLU.
        zero_point=after[1],
        low=LOW,
        high=HIGH,
    )
    return {
        f"{name}.weights": codes.astype(np.int8),
        f"{name}.bias": stage.bias.astype(np.int32),
        f"{name}.multiplier": stage.multiplier.astype(np.uint16),
        f"{name}.shift": stage.shift.astype(np.uint8),
        **{f"{name}.{one}": np.int8(getattr(stage, one)) for one in ("zero_point", "low", "high")},
    }


def main() -> None:
    """Train, print the accuracies and write the network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--output", type=Path, default=NETWORKS / "digits.npz", help="default: %(default)s"
    )
    output: Path = parser.parse_args().output
    pixels, labels = load_digits(return_X_y=True)
    images = (pixels.reshape(-1, 1, 8, 8) / 16).astype(np.float32)
    train_x, test_x, train_y, test_y = train_test_split(
        images, labels, test_size=TEST_IMAGES, random_state=SEED, stratify=labels
    )
    parameters = train(train_x, train_y)
    for what, some, right in (("train", train_x, train_y), ("test", test_x, test_y)):
        chosen = forward(parameters, some)["fc"].reshape(len(some), -1).argmax(axis=1)
        print(f"{what} accuracy {np.mean(chosen == right):.2%} of {len(some)} images, in floats")
    arrays = quantized(parameters, forward(parameters, train_x))
    arrays["images"] = (np.rint(test_x * STEPS) + LOW).astype(np.int8)
    arrays["labels"] = test_y.astype(np.uint8)
    # numpy dates the zip's entries 1980-01-01: equal arrays give equal bytes.
    np.savez_compressed(output, **arrays)
    print(f"wrote {output.name}: {output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
