"""IN.npz of `quidam simulate`: archives that hold something else, or are no archives at all."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from characterize.regression import random_tensors
from quidam import simulate as verb
from quidam.main import main
from quidam.simulate import STAGE, load_tensors
from rtl_gen.errors import UserError
from rtl_gen.formats import arithmetic
from rtl_gen.layer import Layer
from tests.rtl_gen.small import SMALL, small

INT8 = arithmetic("int8")
RAW = Layer(
    name="conv1", kind="conv", in_channels=4, in_height=5, in_width=8, out_channels=6, stride=2
)
QUANTIZED = replace(RAW, output="quantized")
CODES = np.arange(6)


def tensors(layer: Layer) -> dict[str, Any]:
    """What an archive must hold for a layer."""
    ifmap, weights = random_tensors(small("one_row").arithmetic, layer, seed=9)
    found: dict[str, Any] = {"ifmap": ifmap, "weights": weights}
    if layer.output == "quantized":
        found |= {"bias": CODES - 3, "multiplier": CODES + 60000, "shift": CODES + 20}
        found |= {"zero_point": np.int64(3), "low": np.array([-100]), "high": np.array(100)}
    return found


@pytest.mark.parametrize("layer", [RAW, QUANTIZED], ids=lambda layer: layer.output)
def test_what_was_saved_is_read(tmp_path: Path, layer: Layer) -> None:
    saved = tensors(layer)
    np.savez_compressed(tmp_path / "in.npz", **saved)
    ifmap, weights, stage = load_tensors(str(tmp_path / "in.npz"), INT8, layer)
    np.testing.assert_array_equal(ifmap, saved["ifmap"])
    np.testing.assert_array_equal(weights, saved["weights"])
    assert (stage is None) == (layer is RAW)
    if stage is not None:
        for name in STAGE:
            np.testing.assert_array_equal(getattr(stage, name), np.squeeze(saved[name]))
            assert name not in STAGE[3:] or type(getattr(stage, name)) is int


WRONG: list[tuple[Layer, dict[str, Any], str]] = [
    (RAW, {"weights": None}, "must hold ifmap, weights for a layer of raw output, not ['ifmap']"),
    (RAW, {"bias": CODES}, "for a layer of raw output, not ['bias', 'ifmap', 'weights']"),
    (
        QUANTIZED,
        {"shift": None},
        "must hold bias, high, ifmap, low, multiplier, shift, weights, zero_point for a layer of "
        "quantized output, not ['bias', 'high', 'ifmap', 'low', 'multiplier', 'weights', "
        "'zero_point']",
    ),
    (RAW, {"weights": np.zeros(1)}, "weights must hold encoded integers, not float64"),
    (RAW, {"weights": np.ones(1, bool)}, "weights must hold encoded integers, not bool"),
    (RAW, {"ifmap": np.zeros(1, np.uint64)}, "ifmap must hold encoded integers, not uint64"),
    (QUANTIZED, {"bias": np.zeros(6)}, "bias must hold encoded integers, not float64"),
    (QUANTIZED, {"low": CODES}, "low must be one number, not of shape (6,)"),
]


@pytest.mark.parametrize(("layer", "change", "message"), WRONG)
def test_archives_that_hold_something_else(
    tmp_path: Path, layer: Layer, change: dict[str, Any], message: str
) -> None:
    held = {**tensors(layer), **change}
    np.savez(tmp_path / "in.npz", **{name: one for name, one in held.items() if one is not None})
    with pytest.raises(UserError, match=f"{re.escape(message)}$"):
        load_tensors(str(tmp_path / "in.npz"), INT8, layer)


@pytest.mark.parametrize(
    ("layer", "change", "message"),
    [
        (RAW, {"ifmap": np.full(RAW.ifmap_shape, 128)}, "ifmap: int8 codes must be -128 to 127"),
        (
            RAW,
            {"weights": np.zeros((6, 4, 1, 3), int)},
            "weights must be of shape (6, 4, 1, 1), not (6, 4, 1, 3)",
        ),
        (QUANTIZED, {"bias": CODES[:5]}, "bias must be of shape (6,), not (5,)"),
        (QUANTIZED, {"multiplier": CODES + 65535}, "multiplier must be from 0 to 65535, not 65536"),
        (QUANTIZED, {"shift": CODES - 1}, "shift must be from 0 to 63, not -1"),
        (
            QUANTIZED,
            {"bias": CODES + 2**31},
            "bias: 32-bit sums must be -2147483648 to 2147483647, not",
        ),
        (QUANTIZED, {"high": np.array(300)}, "high: int8 codes must be -128 to 127, not 300"),
        (QUANTIZED, {"low": np.array(101)}, "low must be at most high (100), not 101"),
    ],
)
def test_tensors_are_refused_before_anything_is_built(
    layer: Layer,
    change: dict[str, Any],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(verb, "build", lambda *_, **__: pytest.fail("built"))
    contents = {"config.yaml": SMALL["one_row"], "layer.yaml": layer.to_mapping()}
    for name, content in contents.items():
        (tmp_path / name).write_text(yaml.safe_dump(content))
    np.savez(tmp_path / "in.npz", **{**tensors(layer), **change})
    files = [str(tmp_path / name) for name in contents]
    options = ["--tensors", str(tmp_path / "in.npz"), "-o", str(tmp_path / "out.npz")]
    assert main(["simulate", *files, *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out.npz").exists()


def archive(save: Callable[..., None]) -> bytes:
    buffer = io.BytesIO()
    save(buffer, **tensors(RAW))
    return buffer.getvalue()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_truncated_archive_is_refused_wherever_it_ends(
    tmp_path: Path, save: Callable[..., None]
) -> None:
    """At every length: within names, within compressed data, within the directory at the end."""
    path, content = tmp_path / "in.npz", archive(save)
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(UserError, match=r"in\.npz must be a readable npz"):
            load_tensors(str(path), INT8, RAW)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_archive_is_refused_or_read_as_it_was(
    tmp_path: Path, save: Callable[..., None]
) -> None:
    """Any byte changed: a message, or the same tensors where it matters to nobody."""
    path, content = tmp_path / "in.npz", archive(save)
    expected = tensors(RAW)
    refused = 0
    for place in range(len(content)):
        for change in (0x01, 0xFF):
            damaged = bytearray(content)
            damaged[place] ^= change
            path.write_bytes(damaged)
            try:
                ifmap, weights, _ = load_tensors(str(path), INT8, RAW)
            except UserError:
                refused += 1
                continue
            np.testing.assert_array_equal(ifmap, expected["ifmap"])
            np.testing.assert_array_equal(weights, expected["weights"])
    assert refused > len(content)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 and then nothing"])
def test_files_that_are_no_archives(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "in.npz").write_bytes(content)
    for name in ("in.npz", "gone.npz"):
        with pytest.raises(UserError, match=rf"{name} must be a readable npz"):
            load_tensors(str(tmp_path / name), INT8, RAW)


def test_pickled_objects_are_not_loaded(tmp_path: Path) -> None:
    objects = np.array([{"a": 1}], dtype=object)
    np.savez(tmp_path / "in.npz", ifmap=objects, weights=objects)
    with pytest.raises(UserError, match=r"must be a readable npz .*allow_pickle=False"):
        load_tensors(str(tmp_path / "in.npz"), INT8, RAW)


def test_a_single_array_is_no_archive(tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", np.zeros(3, int))
    with pytest.raises(UserError, match=r"in\.npy must be an npz archive, not one array"):
        load_tensors(str(tmp_path / "in.npy"), INT8, RAW)
    with zipfile.ZipFile(tmp_path / "raw.npz", "w") as file:
        for name in ("ifmap", "weights"):
            file.writestr(name, b"no array")
    with pytest.raises(UserError, match="ifmap must hold encoded integers"):
        load_tensors(str(tmp_path / "raw.npz"), INT8, RAW)
