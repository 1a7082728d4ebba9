"""Networks: the one that ships is as accurate as its floats, by others' arithmetic too; bad ones
are refused, file or value."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.layer import Layer
from rtl_gen.network import LayerStep, Network, Outcome, PoolStep, check_network, forward, golden
from rtl_gen.network_file import NETWORKS, load_network
from tests.rtl_gen import oracle
from tests.rtl_gen.strategies import CONFIG

Change = Callable[[Any], object]


@pytest.fixture(scope="module")
def digits() -> Network:
    return load_network("digits")


@pytest.fixture(scope="module")
def outcomes(digits: Network) -> list[Outcome]:
    return list(golden(digits, CONFIG))


def test_the_digits_are_read(digits: Network, outcomes: list[Outcome]) -> None:
    assert len(digits.images) == 360
    assert len({image.tobytes() for image in digits.images}) > 350
    assert np.bincount(digits.labels).tolist() == [36, 36, 35, 37, 36, 37, 36, 36, 35, 36]
    # The floats get 348 of the 360 right (rtl_gen/networks/README.md).
    assert digits.accuracy(outcomes[-1].ofmap) == 349 / 360
    assert digits.accuracy(np.roll(outcomes[-1].ofmap, 1, axis=0)) < 0.3


def test_steps_follow_each_other(digits: Network, outcomes: list[Outcome]) -> None:
    shapes = {outcome.step.name: outcome.ofmap.shape[1:] for outcome in outcomes}
    assert shapes == {
        "conv1": (8, 8, 8),
        "conv2": (16, 4, 4),
        "conv3": (16, 4, 4),
        "residual": (16, 4, 4),
        "pool": (16, 2, 2),
        "fc": (10, 1, 1),
    }
    maps = {outcome.step.name: outcome.ofmap for outcome in outcomes}
    moved = [(o.step.name, o.host.words_read, o.host.words_written) for o in outcomes if o.host]
    assert moved == [
        ("residual", 2 * maps["conv2"].size, maps["conv2"].size),
        ("pool", maps["conv2"].size, maps["pool"].size),
    ]


def test_onnx_runtime_puts_out_the_same(digits: Network, outcomes: list[Outcome]) -> None:
    """Step by step on the golden's inputs: what differs lies on a half of the runtime's float32."""
    made = {"images": digits.images} | {o.step.name: o.ofmap for o in outcomes}
    for before, outcome in zip(made, outcomes, strict=False):
        step, ifmap = outcome.step, made[before]
        if isinstance(step, LayerStep):
            layer = replace(step.layer, batch=len(ifmap))
            zero = digits.zero_point if before == "images" else zero_point_of(digits, before)
            layer = replace(layer, padding_value=zero)
            expected = oracle.qlinear_conv(
                layer,
                ifmap.reshape(layer.ifmap_shape),
                step.weights,
                bias=step.stage.bias + zero * step.weights.sum(axis=(1, 2, 3)),
                scale=np.ldexp(step.stage.multiplier.astype(np.float64), -step.stage.shift),
                zero_point=step.stage.zero_point,
            )
        elif isinstance(step, PoolStep):
            expected = oracle.max_pool(replace(step.layer, batch=len(ifmap)), ifmap)
        else:
            numbers = step.addition
            first, second = (multiplier / 2**numbers.shift for multiplier in numbers.multipliers)
            expected = oracle.qlinear_add(
                (ifmap, made[step.other]), (first, second), numbers.zero_points, numbers.zero_point
            )
        difference = np.abs(outcome.ofmap - expected)
        assert difference.max() <= 1, step.name
        assert np.count_nonzero(difference) <= difference.size // 10_000, step.name


def zero_point_of(network: Network, name: str) -> int:
    """Of what a step puts out; a pool's is that of the step before."""
    zero_point = network.zero_point
    for step in network.steps:
        if isinstance(step, LayerStep):
            zero_point = step.stage.zero_point
        elif not isinstance(step, PoolStep):
            zero_point = step.addition.zero_point
        if step.name == name:
            return zero_point
    raise ValueError(name)


def test_an_average_pool_keeps_the_zero_point(digits: Network) -> None:
    layer = Layer(
        name="mean", kind="pool", in_channels=1, in_height=8, in_width=8, out_channels=1,
        kernel_height=8, kernel_width=8,
    )  # fmt: skip
    step = PoolStep(layer=layer, mode="average")
    network = replace(digits, steps=(step,), labels=np.zeros_like(digits.labels))
    (outcome,) = forward(network, lambda *_: pytest.fail("no layer here"))
    sums = (digits.images + 128).sum(axis=(2, 3), keepdims=True)
    np.testing.assert_array_equal(outcome.ofmap, np.rint(sums / 64).astype(int) - 128)


def test_a_config_of_other_formats_or_too_small_is_refused(digits: Network) -> None:
    check_network(CONFIG, digits)
    fields = CONFIG.to_mapping()
    check_network(AcceleratorConfig.from_mapping({**fields, "arithmetic": "int8a24"}), digits)
    message = "arithmetic must be int8 for the network 'digits', not 'lightpe2'"
    with pytest.raises(UserError, match=f"^{message}$"):
        check_network(AcceleratorConfig.from_mapping({**fields, "arithmetic": "lightpe2"}), digits)
    # A bias of 17 bits.
    with pytest.raises(
        UserError, match=r"^step .conv1.: bias: 16-bit sums must be -32768 to 32767, not 39457$"
    ):
        check_network(AcceleratorConfig.from_mapping({**fields, "arithmetic": "int8a16"}), digits)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A copy of the network to spoil."""
    for name in ("digits.yaml", "digits.npz"):
        shutil.copy(NETWORKS / name, tmp_path)
    return tmp_path / "digits.yaml"


def test_a_file_is_read_as_the_name_is(files: Path, digits: Network) -> None:
    network = load_network(files)
    np.testing.assert_array_equal(network.images, digits.images)
    assert [step.name for step in network.steps] == [step.name for step in digits.steps]


@pytest.mark.parametrize("name", ["digit", "gone.yaml"])
def test_an_unknown_network_is_refused(name: str) -> None:
    message = f"network must be one of digits, or a YAML file, not {name!r}"
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        load_network(name)


def step(index: int, **fields: Any) -> Change:
    """Change the fields of a step in the YAML."""
    return lambda content: next(iter(content["steps"][index].values())).update(fields)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("steps"), "must have the keys name, arithmetic, tensors, steps"),
        (lambda c: c.update(name=3), "the first three of them words"),
        (lambda c: c.update(more=3), "must have the keys name, arithmetic, tensors, steps"),
        (lambda c: c.update(steps=[]), "steps must be a list of at least one, not []"),
        (lambda c: c.update(steps=[3]), "a step must be one of layer, add, max_pool, average_pool"),
        (lambda c: c["steps"][0].update(add={}), "a step must be one of layer, add, max_pool"),
        (lambda c: c["steps"][3]["add"].pop("other"), "a step must have name and other, words"),
        (step(3, more=3), "an add must have name and other only, not ['more', 'name', 'other']"),
        (step(0, name=3), "a step must have name, words, not"),
        (lambda c: c.update(tensors="gone.npz"), "gone.npz must be a readable npz archive"),
        (lambda c: c.update(arithmetic="int3"), "images and their zero point: int3 codes must be"),
        (lambda c: c.update(arithmetic="nonsense"), "arithmetic must be one of"),
        (lambda c: c["steps"].pop(5), "must not hold the array 'fc.bias' for the steps of"),
        (step(0, colour=3), "step 'conv1': layer keys must be among"),
        (step(0, batch=2), "step 'conv1': batch must be 1 (it comes with the images), not 2"),
        (step(0, output="raw"), "step 'conv1': output must be quantized in a network, not 'raw'"),
        (step(0, padding_value=0), "padding_value must be the input's zero point, -128, not 0"),
        (step(0, in_height=7), "step 'conv1': input must be (1, 8, 8), the output of the step"),
        (step(1, out_channels=8), "step 'conv2': weights must be of shape (8, 8, 3, 3), not (16,"),
        (step(2, padding=2), "maps to add must be of one shape, not (16, 6, 6) and (16, 4, 4)"),
        (step(3, other="conv9"), "step 'residual': what is added must be an earlier step, not"),
        (step(3, other="conv1"), "step 'residual': maps to add must be of one shape, not (16, 4"),
        (step(4, kind="conv"), "step 'pool': layer 'pool': kind must be pool, not 'conv'"),
        (step(4, stride=3), "step 'fc': input must be (16, 1, 1), the output of the step before"),
    ],
)  # fmt: skip
def test_steps_that_make_no_network(files: Path, change: Change, message: str) -> None:
    content = yaml.safe_load(files.read_text())
    change(content)
    files.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match=re.escape(message)):
        load_network(files)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("labels", None, "digits.npz must hold the array 'labels' for the steps of"),
        ("more", np.zeros(1, int), "digits.npz must not hold the array 'more' for the steps of"),
        ("images", np.zeros((3, 1, 8), int), "images must be of shape (N, C, H, W), not (3, 1, 8)"),
        ("images", np.zeros((0, 1, 8, 8), int), "images must be of shape (N, C, H, W), not (0,"),
        ("images", np.full((360, 1, 8, 8), 128), "images and their zero point: int8 codes must be"),
        ("images", np.zeros((3, 1, 8, 8), int), "labels must be one an image (3), not (360,)"),
        ("labels", np.full(360, 10), "labels must be from 0 to 9, not 10"),
        ("labels", np.full(360, -1), "labels must be from 0 to 9, not -1"),
        ("zero_point", np.zeros(2, int), "zero_point must be one number, not of shape (2,)"),
        ("zero_point", np.array(3), "padding_value must be the input's zero point, 3, not -128"),
        ("conv1.weights", np.zeros((8, 1, 3), int), "weights must be of shape (8, 1, 3, 3), not"),
        ("conv1.weights", np.full((8, 1, 3, 3), 128), "weights: int8 codes must be -128 to 127"),
        ("conv2.bias", np.zeros(8, int), "step 'conv2': bias must be of shape (16,), not (8,)"),
        ("conv2.shift", np.full(16, 64), "step 'conv2': shift must be from 0 to 63, not 64"),
        ("conv2.low", np.array(-129), "'conv2': low: int8 codes must be -128 to 127, not -129"),
        ("residual.multipliers", np.zeros(3, int), "must be two numbers, not of shape (3,)"),
        ("residual.zero_points", np.zeros(2, int), "zero points must be those of the inputs, ("),
        ("residual.shift", np.array(-1), "step 'residual': shift must be from 0 to 63, not -1"),
        ("fc.multiplier", np.zeros(10), "fc.multiplier must be integers, not float64"),
    ],
)  # fmt: skip
def test_numbers_that_fit_no_step(files: Path, name: str, array: Any, message: str) -> None:
    path = files.with_suffix(".npz")
    with np.load(path) as data:
        arrays = {key: data[key] for key in data.files}
    arrays = {key: value for key, value in {**arrays, name: array}.items() if value is not None}
    np.savez(path, **arrays)
    with pytest.raises(UserError, match=re.escape(message)):
        load_network(files)


def test_a_truncated_archive_is_refused(files: Path) -> None:
    path = files.with_suffix(".npz")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"digits\.npz must be a readable npz archive: "):
        load_network(files)


def test_two_steps_of_one_name_are_refused(digits: Network) -> None:
    with pytest.raises(UserError, match=r"^names of steps must differ, not 'pool' twice$"):
        replace(digits, steps=(*digits.steps[:5], digits.steps[4]))
    with pytest.raises(UserError, match=r"^steps must be at least one, there is none$"):
        replace(digits, steps=())
