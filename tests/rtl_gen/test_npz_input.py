"""npz archives from users: what is damaged, or holds no integers, is refused, naming the file."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtl_gen.errors import UserError
from rtl_gen.npz_input import load_integers


def archive(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


GOOD = archive(a=np.arange(500).reshape(5, 100), b=np.int8(-3))


def test_integers_of_any_size_become_int64(tmp_path: Path) -> None:
    (tmp_path / "in.npz").write_bytes(archive(a=np.array([1, 255], np.uint8), b=np.int16(-7)))
    arrays = load_integers(tmp_path / "in.npz")
    assert {name: array.tolist() for name, array in arrays.items()} == {"a": [1, 255], "b": -7}
    assert all(array.dtype == np.int64 for array in arrays.values())


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 and then nothing"])
def test_files_that_are_no_archives(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "in.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"in\.npz must be a readable npz archive: "):
        load_integers(tmp_path / "in.npz")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"gone\.npz must be a readable npz archive: .*No such file"
    ):
        load_integers(tmp_path / "gone.npz")


@pytest.mark.parametrize("length", range(0, len(GOOD), 41))
def test_truncated_archives(tmp_path: Path, length: int) -> None:
    (tmp_path / "in.npz").write_bytes(GOOD[:length])
    with pytest.raises(UserError, match=r"in\.npz must be a readable npz archive"):
        load_integers(tmp_path / "in.npz")


def test_a_damaged_byte_never_gives_other_numbers(tmp_path: Path) -> None:
    path, refused, places = tmp_path / "in.npz", 0, range(0, len(GOOD), 5)
    for place in places:
        wrong = GOOD[place] ^ (0x01, 0x10, 0xFF)[place % 3]
        path.write_bytes(GOOD[:place] + bytes([wrong]) + GOOD[place + 1 :])
        try:
            arrays = load_integers(path)
        except UserError:
            refused += 1
            continue
        for name, array in {"a": np.arange(500).reshape(5, 100), "b": np.array(-3)}.items():
            # A name may be what was damaged.
            assert name not in arrays or np.array_equal(arrays[name], array)
    # Most bytes are numbers and checksums; in dates and versions nobody looks.
    assert refused > len(places) * 0.7


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(3), "a must be integers, not float64"),
        (np.array(["x"]), "a must be integers, not <U1"),
        (np.array([True]), "a must be integers, not bool"),
        (np.array([2**63], np.uint64), f"a must fit 64 signed bits, not {2**63}"),
    ],
)
def test_arrays_that_hold_no_integers(tmp_path: Path, array: Any, message: str) -> None:
    path = tmp_path / "in.npz"
    path.write_bytes(archive(a=array))
    with pytest.raises(UserError, match=f"^{re.escape(f'{path}: {message}')}$"):
        load_integers(path)


def test_pickled_objects_are_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "in.npz").write_bytes(archive(a=np.array([{"a": 1}], dtype=object)))
    with pytest.raises(UserError, match=r"must be a readable npz archive: .*allow_pickle=False"):
        load_integers(tmp_path / "in.npz")


def test_a_single_array_is_no_archive(tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", np.zeros(3, int))
    with pytest.raises(UserError, match=r"in\.npy must be a readable npz archive: .*not a zip"):
        load_integers(tmp_path / "in.npy")
    with zipfile.ZipFile(tmp_path / "raw.npz", "w") as raw:
        raw.writestr("a", b"no array")
    with pytest.raises(UserError, match="a must be integers, not "):
        load_integers(tmp_path / "raw.npz")
