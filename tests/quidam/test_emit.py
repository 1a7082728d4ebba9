"""`quidam emit`: a folder of Verilog from a file, or one message."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from quidam import emit as verb
from quidam.main import main
from tests.rtl_gen.small import SMALL


@pytest.mark.eda
def test_a_config_becomes_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(SMALL["one_pe"]))
    folder = tmp_path / "new" / "folder"
    assert main(["emit", str(tmp_path / "config.yaml"), "-o", str(folder)]) == 0
    files = list(folder.iterdir())
    lines = sum(len(path.read_text().splitlines()) for path in files if path.suffix == ".v")
    said = f"{folder}: {len(files)} files, {lines} lines of Verilog, top module accelerator\n"
    assert capsys.readouterr().out == said
    assert lines > 1000
    assert {"accelerator.v", "pe.v", "filelist.f", "manifest.json"} <= {p.name for p in files}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("rows: 0", "config must have the key 'arithmetic'"),
        (yaml.safe_dump({**SMALL["one_pe"], "rows": 65}), "rows must be from 1 to 64, not 65"),
        (
            yaml.safe_dump({**SMALL["one_pe"], "arithmetic": "int1"}),
            "int1",
        ),
        (None, "must be a readable YAML file"),
    ],
)
def test_a_bad_config_writes_nothing(
    content: str | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / "config.yaml").write_text(content)
    assert main(["emit", str(tmp_path / "config.yaml"), "-o", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_folder_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["emit", "config.yaml"])
    assert ended.value.code == 2
    assert "the following arguments are required: -o/--output" in capsys.readouterr().err


def test_a_folder_that_can_not_be_written_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(SMALL["one_pe"]))

    def full(*_: object) -> list[Path]:
        raise OSError(28, "No space left on device", str(tmp_path / "out"))

    monkeypatch.setattr(verb, "emit", full)
    assert main(["emit", str(tmp_path / "config.yaml"), "-o", str(tmp_path / "out")]) == 1
    expected = f"quidam: error: No space left on device: {tmp_path / 'out'}\n"
    assert capsys.readouterr().err == expected
