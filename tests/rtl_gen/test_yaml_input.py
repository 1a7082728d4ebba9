"""YAML from users: what is no mapping of unique names is refused, naming the file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rtl_gen.errors import UserError
from rtl_gen.yaml_input import load_mapping


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"rows: 3\nrows: 4\n", "must be valid YAML: key 'rows' is given twice"),
        (b"outer: {a: 1, a: 2}\n", "must be valid YAML: key 'a' is given twice"),
        (b"- 1\n- 2\n", "must hold a mapping of names to values, not [1, 2]"),
        (b"", "must hold a mapping of names to values, not None"),
        (b"3: rows\n", "must hold a mapping of names to values, not {3: 'rows'}"),
        (b"rows: [1\n", "must be valid YAML:"),
        (b"rows: !!python/object/apply:os.getcwd []\n", "must be valid YAML:"),
        (b"name: \xff\xfe\xfa\n", "must be a readable YAML file:"),
    ],
)
def test_what_is_no_mapping_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "input.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"^{re.escape(str(path))} {re.escape(message)}"):
        load_mapping(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.yaml must be a readable YAML file: .*No such file"):
        load_mapping(tmp_path / "gone.yaml")
    with pytest.raises(UserError, match="must be a readable YAML file"):
        load_mapping(tmp_path)


def test_a_mapping_is_read(tmp_path: Path) -> None:
    path = tmp_path / "input.yaml"
    path.write_text("rows: 3\nformats: {activation: int6}\n# a comment\n", encoding="utf-8")
    assert load_mapping(str(path)) == {"rows": 3, "formats": {"activation": "int6"}}


def test_anchors_may_be_merged(tmp_path: Path) -> None:
    path = tmp_path / "input.yaml"
    path.write_text("base: &base {a: 1, b: 2}\nmore: {<<: *base, b: 3}\n")
    assert load_mapping(path)["more"] == {"a": 1, "b": 3}
