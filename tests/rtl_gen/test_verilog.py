"""Emission: the same bytes everywhere, one module a concept, a manifest that is right."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from amaranth.back import rtlil

from characterize import tools
from rtl_gen import provenance, verilog
from rtl_gen.errors import ToolError
from rtl_gen.hardware.memory import memory_name
from rtl_gen.memories import memories
from rtl_gen.verilog import TOP, accelerator_verilog, emit
from tests.rtl_gen.equivalence import prove
from tests.rtl_gen.small import SMALL, small

ROOT = Path(__file__).parents[2]
CONCEPTS = ("pe", "network_node", "network_row", "processing_array", "bank", "collector")

#: All that `verilator -Wall` may say, and why it is harmless.
WAIVED = {
    r"UNUSEDSIGNAL: sram_\w+\.v:.*Signal is not used: 'rst'": "every placed module has a reset",
    r"UNUSEDSIGNAL: .*Signal is not used: '(psum_)?address'": "there is but one word",
    r"UNUSEDSIGNAL: control\w*\.v:.*(_a[rw]prot'|_a[rw]addr'\[1:0\])": (
        "AXI4-Lite: access permissions, and the byte in a word"
    ),
    r"UNUSEDSIGNAL: .*Bits of signal are not used: '(layer_padding_code|\w*_data)'": (
        "ports are as wide in every configuration; this one has fewer lanes, or narrower words"
    ),
    r"UNUSEDSIGNAL: collector\w*\.v:.*not used: '(layer_)?(zero_point|low|high)'": (
        "ports are as wide in every configuration; floating-point codes may be short, and have no "
        "zero point"
    ),
    r"UNUSEDSIGNAL: pe_mac_unit_multiplier\.v:.*Bits of signal are not used: '\w*_shl'": (
        "an inverted factor is shifted over its own sign, of which only the upper part is used"
    ),
}


def complaints(output: str) -> list[str]:
    """What a linter says that is not waived."""
    said = [line for line in output.splitlines() if line.startswith(("%Warning", "%Error-"))]
    return [line for line in said if not any(re.search(waived, line) for waived in WAIVED)]


#: What needs Verilator or Yosys.
eda = pytest.mark.eda


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One emission that several tests look at."""
    result = tmp_path_factory.mktemp("emitted")
    emit(small("one_row"), result)
    return result


@eda
def test_other_processes_write_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    """Another hash seed, another working directory, another user's home and language."""
    program = (
        "import json, sys; from pathlib import Path; from rtl_gen.verilog import emit\n"
        "from rtl_gen.config import AcceleratorConfig\n"
        "emit(AcceleratorConfig.from_mapping(json.loads(sys.argv[1])), Path(sys.argv[2]))"
    )
    environment = {
        **os.environ,
        **{"PYTHONHASHSEED": "4321", "PYTHONPATH": str(ROOT), "LC_ALL": "C", "TZ": "Asia/Tokyo"},
    }
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    subprocess.run(
        [sys.executable, "-c", program, json.dumps(SMALL["one_row"]), str(tmp_path / "again")],
        cwd=elsewhere,
        env=environment,
        check=True,
        timeout=300,
    )
    assert contents(tmp_path / "again") == contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@eda
def test_nothing_of_this_machine_is_in_it(folder: Path) -> None:
    for name, content in contents(folder).items():
        assert str(ROOT).encode() not in content, name
        assert str(folder).encode() not in content, name
        assert str(Path.home()).encode() + b"/" not in content, name
        assert not re.search(rb"\.py\b|src *=|attr|20\d\d-\d\d", content), name


@eda
def test_the_manifest_says_what_was_made_from_what(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    config = small("one_row")
    assert manifest["schema"] == "quidam-verilog/1"
    assert manifest["config"] == config.to_mapping()
    assert manifest["config"] == {**SMALL["one_row"], "scratchpads": "flipflop"}
    assert manifest["config_id"] == config.content_id
    assert manifest["top"] == TOP == "accelerator"
    assert manifest["commit"] == provenance.commit()
    assert manifest["versions"] == provenance.generator_versions()
    hashes = {
        name: hashlib.sha256(content).hexdigest()
        for name, content in contents(folder).items()
        if name != "manifest.json"
    }
    assert manifest["sha256"] == hashes


@eda
def test_a_file_a_module_and_a_module_a_concept(folder: Path) -> None:
    config = small("one_row")
    srams = [
        memory_name(int(memory.depth), int(memory.width)) for memory in memories(config).values()
    ]
    concepts = [*srams, *CONCEPTS, "controller", "core", "control", TOP]
    assert list(verilog.modules(config)) == list(dict.fromkeys(concepts))
    files = (folder / "filelist.f").read_text().split()
    assert set(contents(folder)) == {*files, "filelist.f", "manifest.json"}
    for name in files:
        modules = re.findall(r"^module (\w+) \($", (folder / name).read_text(), re.MULTILINE)
        assert [f"{module}.v" for module in modules] == [name]
    outer = [Path(name).stem for name in files if Path(name).stem in concepts]
    assert outer == list(dict.fromkeys(concepts))
    inner = [name for name in files if Path(name).stem not in concepts]
    assert all(name.startswith(tuple(f"{part}_" for part in concepts)) for name in inner)


@eda
def test_every_file_opens_with_the_config(folder: Path) -> None:
    for path in folder.glob("*.v"):
        text = path.read_text()
        assert text.startswith(
            "// QUIDAM row-stationary accelerator\n//\n//   arithmetic: lightpe2"
        )
        for key, value in SMALL["one_row"].items():
            assert f"//   {key}: {value}\n" in text


@eda
def test_the_hierarchy_is_the_arrays(folder: Path) -> None:
    """A PE a place, not a copy of its module a place."""
    array = (folder / "processing_array.v").read_text()
    instances = re.findall(r"^  (pe|network_node|network_row) (\w+) \($", array, re.MULTILINE)
    assert sorted(instances) == sorted(
        [("network_row", "row_0")]
        + [("pe", f"pe_0_{j}") for j in range(5)]
        + [("network_node", f"node_0_{j}") for j in range(5)]
    )


@eda
def test_one_text_holds_the_same_modules(folder: Path) -> None:
    def modules(text: str) -> list[str]:
        return re.findall(r"^module .*?^endmodule$", text, re.MULTILINE | re.DOTALL)

    files = (folder / "filelist.f").read_text().split()
    apart = [module for name in files for module in modules((folder / name).read_text())]
    assert modules(accelerator_verilog(small("one_row"))) == apart


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Emission without Amaranth: `stand_in(a, b)` makes a and b the modules there are."""

    def install(*names: str) -> None:
        monkeypatch.setattr(verilog, "modules", lambda config: dict.fromkeys(names))

    monkeypatch.setattr(
        verilog, "module_texts", lambda _, name: {name: f"module {name}; endmodule\n"}
    )
    install("one", "two")
    return install


def test_files_of_an_earlier_emission_go_and_others_stay(tmp_path: Path, stand_in: Any) -> None:
    emit(small("one_pe"), tmp_path)
    (tmp_path / "testbench.v").write_text("// the user's\n")
    stand_in("two", "three")
    files = emit(small("one_pe"), tmp_path)
    assert [path.name for path in files] == ["two.v", "three.v", "filelist.f", "manifest.json"]
    assert set(contents(tmp_path)) == {path.name for path in files} | {"testbench.v"}


@pytest.mark.parametrize(
    "manifest",
    [
        *("", "[]", "{}", '{"sha256": 3}', '{"sha256": [3]}', '{"sha256": null}'),
        '{"sha256": {"../../precious.v": "", "precious.txt": ""}}',
    ],
)
def test_a_manifest_of_others_removes_nothing(manifest: str, tmp_path: Path, stand_in: Any) -> None:
    target = tmp_path / "a" / "b"
    target.mkdir(parents=True)
    precious = [tmp_path / "precious.v", target / "precious.txt"]
    for path in precious:
        path.write_text("precious")
    (target / "manifest.json").write_text(manifest)
    emit(small("one_pe"), target)
    assert all(path.exists() for path in precious)


def test_a_failure_leaves_the_earlier_emission(
    tmp_path: Path, stand_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    emit(small("one_pe"), tmp_path)
    before = contents(tmp_path)

    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        emit(small("one_row"), tmp_path)
    assert contents(tmp_path) == before


@eda
@pytest.mark.parametrize("name", SMALL)
def test_verilator_has_nothing_to_say_but_what_is_waived(name: str, tmp_path: Path) -> None:
    """In particular: no latches, loops, nets without or with two drivers, unconnected pins."""
    emit(small(name), tmp_path)
    assert complaints(lint(tmp_path, "--top-module", top(tmp_path), "-f", "filelist.f")) == []


def top(folder: Path) -> str:
    return Path((folder / "filelist.f").read_text().split()[-1]).stem


def lint(folder: Path, *arguments: str) -> str:
    verilator = tools.verilator()
    done = tools.run(
        [verilator.program, "--lint-only", "-Wall", "-Wno-fatal", *arguments],
        cwd=folder,
        log=folder / "lint.log",
        timeout=120,
        env=verilator.env,
    )
    return done.output


@eda
def test_lint_finds_a_planted_mistake(folder: Path, tmp_path: Path) -> None:
    text = (folder / "network_node.v").read_text()
    broken = re.sub(r"  assign active = .*\n", "", text)
    assert broken != text
    (tmp_path / "network_node.v").write_text(broken)
    assert any("UNDRIVEN" in line for line in complaints(lint(tmp_path, "network_node.v")))


@eda
def test_yosys_synthesizes_it_without_a_warning(folder: Path) -> None:
    """No latch is inferred; `check` finds no net with two drivers or none, and no loop."""
    files = (folder / "filelist.f").read_text().split()
    script = [f"read_verilog {name}" for name in files]
    script += [f"hierarchy -check -top {top(folder)}", "proc", "opt_clean", "check -assert"]
    script += ["select -assert-none t:$dlatch t:$adlatch t:$dlatchsr t:$sr", ""]
    (folder / "check.ys").write_text("\n".join(script))
    command = tools.yosys_command("check.ys")
    said = tools.run(command, cwd=folder, log=folder / "check.log", timeout=120).output
    for name in ("check.ys", "check.log"):
        (folder / name).unlink()
    assert re.findall("^Warning:.*", said, re.MULTILINE) == []


@eda
@pytest.mark.parametrize("name", ["network_node", "network_row", "bank", "collector", "core"])
def test_the_verilog_is_the_netlist(name: str, tmp_path: Path) -> None:
    """Proven by Yosys, against what Amaranth says itself."""
    config = small("one_row")
    said = prove(*both(config, name), name, tmp_path)
    assert re.search(r"Of those cells [1-9]\d* are proven and 0 are unproven", said)


@pytest.mark.regress
@pytest.mark.parametrize("name", ["pe", "controller", "processing_array"])
def test_the_verilog_of_large_modules_is_the_netlist(name: str, tmp_path: Path) -> None:
    test_the_verilog_is_the_netlist(name, tmp_path)


@eda
def test_verilog_that_differs_is_found(tmp_path: Path) -> None:
    netlist, text = both(small("one_row"), "bank")
    broken = text.replace("set_index < column_sets", "set_index <= column_sets")
    assert broken != text
    with pytest.raises(ToolError, match="failed"):
        prove(netlist, broken, "bank", tmp_path)


def both(config: Any, name: str) -> tuple[str, str]:
    """Amaranth's netlist of a module, and our Verilog."""
    component = verilog.modules(config)[name]
    netlist = rtlil.convert(component, name=name, ports=verilog._ports(component), emit_src=False)
    return netlist, verilog.module_verilog(verilog.modules(config)[name], name)


@eda
def test_names_are_for_people(folder: Path) -> None:
    """No escaped identifiers, none that Amaranth numbered itself, and a line on every module."""
    for path in folder.glob("*.v"):
        text = path.read_text()
        assert "\\" not in text, path.name
        assert not re.search(r"[\w)]\$\d", text), path.name
        assert not re.search(r"\bsignal(_\d+)?\b", text.split("module ", 1)[1]), path.name
        assert re.search(r"^// \S.*\.\nmodule \w+ \($", text, re.MULTILINE), path.name
        assert "// One clock, clk. rst is synchronous" in text, path.name
