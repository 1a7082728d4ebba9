#!/usr/bin/env python3
"""Train a small CNN on scikit-learn's digits; write its second convolution as a stimulus.

Gate-level power depends on the data: this makes a layer with real activations (ReLU zeros, smooth
neighbours) and trained weights. The network, trained with Adam in plain numpy::

    1x8x8 -> conv 3x3 -> ReLU -> 16x8x8 -> conv 3x3 -> ReLU -> 32x8x8 -> max pool 4x4 -> linear 10

Usage: ``.venv/bin/python scripts/make_stimulus_layer.py [--output FILE]``; seconds on one core,
and the same bytes every time on one machine (see characterize/data/README.md).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

Array = NDArray[np.float32]
Labels = NDArray[np.int64]
Parameters = dict[str, Array]

SEED = 0
EPOCHS = 12
BATCH = 32
LEARNING_RATE = 2e-3
TEST_IMAGES = 450
STIMULUS_IMAGES = 16
POOL = 4
OUTPUT = Path(__file__).resolve().parents[1] / "characterize" / "data" / "digits_layer.npz"


def columns(images: Array) -> Array:
    """Return the 3x3 neighbourhoods of `images`, padded by one zero (im2col).

    `images` has the shape (images, channels, height, width), the result
    (images, height, width, channels * 9).
    """
    count, channels, height, width = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(count, height, width, channels * 9)


def convolve(taps: Array, weights: Array, bias: Array) -> Array:
    """Return the convolution (images, filters, height, width) of the `columns` of an image."""
    product: Array = taps @ weights.reshape(len(weights), -1).T + bias
    return product.transpose(0, 3, 1, 2)


def convolve_back(taps: Array, gradient: Array, weights: Array) -> tuple[Array, Array]:
    """Return the loss gradients by the weights and by the bias of `convolve`."""
    rows = gradient.transpose(0, 2, 3, 1).reshape(-1, len(weights))
    by_weights: Array = rows.T @ taps.reshape(len(rows), -1)
    return by_weights.reshape(weights.shape), rows.sum(axis=0)


def turned(weights: Array) -> Array:
    """Return the filters whose convolution with a gradient gives the gradient by the input."""
    return weights[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)


def max_pool(images: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return the maximum of every POOL x POOL tile, and where the maxima stand, tile by tile."""
    count, channels, height, width = images.shape
    tiles = images.reshape(count, channels, height // POOL, POOL, width // POOL, POOL)
    maxima = tiles.max(axis=(3, 5), keepdims=True)
    return maxima[:, :, :, 0, :, 0], tiles == maxima


def initial(random: np.random.Generator) -> Parameters:
    """Return He-initialised weights and zero biases."""
    shapes = {"w1": (16, 1, 3, 3), "w2": (32, 16, 3, 3), "w3": (10, 32 * (8 // POOL) ** 2)}
    parameters: Parameters = {}
    for name, shape in shapes.items():
        deviation = np.sqrt(2 / np.prod(shape[1:]))
        parameters[name] = (random.standard_normal(shape) * deviation).astype(np.float32)
        parameters[name.replace("w", "b")] = np.zeros(shape[0], np.float32)
    return parameters


def hidden(parameters: Parameters, images: Array) -> Array:
    """Return the activations that enter the second convolution, (images, 16, 8, 8)."""
    return np.maximum(convolve(columns(images), parameters["w1"], parameters["b1"]), 0)


def logits(parameters: Parameters, activations: Array) -> Array:
    """Return the ten class scores (images, 10) from the activations `hidden` gives."""
    features = convolve(columns(activations), parameters["w2"], parameters["b2"])
    pooled, _ = max_pool(np.maximum(features, 0))
    return pooled.reshape(len(pooled), -1) @ parameters["w3"].T + parameters["b3"]


def gradients(parameters: Parameters, images: Array, labels: Labels) -> Parameters:
    """Return the gradient of the mean cross-entropy loss by every parameter."""
    taps1 = columns(images)
    first = np.maximum(convolve(taps1, parameters["w1"], parameters["b1"]), 0)
    taps2 = columns(first)
    second = np.maximum(convolve(taps2, parameters["w2"], parameters["b2"]), 0)
    pooled, winners = max_pool(second)
    flat = pooled.reshape(len(pooled), -1)
    scores = flat @ parameters["w3"].T + parameters["b3"]

    error = np.exp(scores - scores.max(axis=1, keepdims=True))
    error /= error.sum(axis=1, keepdims=True)
    error[np.arange(len(labels)), labels] -= 1
    error /= len(labels)
    back = (error @ parameters["w3"]).reshape(pooled.shape)[:, :, :, None, :, None]
    by_second = (winners * back).reshape(second.shape) * (second > 0)
    w2, b2 = convolve_back(taps2, by_second, parameters["w2"])
    zero = np.zeros(first.shape[1], np.float32)
    by_first = convolve(columns(by_second), turned(parameters["w2"]), zero) * (first > 0)
    w1, b1 = convolve_back(taps1, by_first, parameters["w1"])
    w3, b3 = error.T @ flat, error.sum(axis=0)
    return {"w1": w1, "b1": b1, "w2": w2, "b2": b2, "w3": w3, "b3": b3}


def train(images: Array, labels: Labels) -> Parameters:
    """Return parameters trained by Adam.

    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1.
    """
    random = np.random.default_rng(SEED)
    parameters = initial(random)
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


def accuracy(parameters: Parameters, images: Array, labels: Labels) -> float:
    """Return the share of `images` that are classified right."""
    scores = logits(parameters, hidden(parameters, images))
    return float(np.mean(scores.argmax(axis=1) == labels))


def rounded(values: Array) -> Array:
    """Return float32 values of float16 precision: finer than any format, and compressible."""
    return values.astype(np.float16).astype(np.float32)


def main() -> None:
    """Train, print the test accuracy and write the layer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, default=OUTPUT, help="default: %(default)s")
    output: Path = parser.parse_args().output

    pixels, labels = load_digits(return_X_y=True)
    images = (pixels.reshape(-1, 1, 8, 8) / 16).astype(np.float32)
    train_x, test_x, train_y, test_y = train_test_split(
        images, labels, test_size=TEST_IMAGES, random_state=SEED, stratify=labels
    )
    parameters = train(train_x, train_y)
    ifmap = rounded(hidden(parameters, test_x[:STIMULUS_IMAGES]))
    weights = rounded(parameters["w2"])
    output.parent.mkdir(parents=True, exist_ok=True)
    # numpy dates the zip's entries 1980-01-01: equal arrays give equal bytes.
    np.savez_compressed(output, ifmap=ifmap, weights=weights)
    print(f"train accuracy {accuracy(parameters, train_x, train_y):.2%} of {len(train_x)} images")
    print(f"test accuracy {accuracy(parameters, test_x, test_y):.2%} of {len(test_x)} images")
    print(f"ifmap {ifmap.shape}: {np.mean(ifmap == 0):.1%} zeros, maximum {ifmap.max():.3f}")
    print(f"weights {weights.shape}: mean magnitude {np.mean(np.abs(weights)):.4f}")
    print(f"wrote {output.name}: {output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
