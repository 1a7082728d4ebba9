"""docs/explanation/{schedule,hardware}.md and docs/reference/streams.md say what the code does."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from rtl_gen.config import load_config
from rtl_gen.descriptor import FIELDS, descriptor
from rtl_gen.layer import load_layer
from rtl_gen.schedule import schedule
from rtl_gen.verilog import accelerator_verilog
from tests.rtl_gen.loop_nest import walk
from tests.rtl_gen.small import small

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def rows(page: str, header: str) -> list[list[str]]:
    """Cells of the table whose header line starts so."""
    _, table = (DOCS / page).read_text().split(f"\n{header}", 1)
    lines = table.split("\n\n", 1)[0].splitlines()[2:]
    assert lines, header
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_descriptor() -> None:
    table = rows("reference/streams.md", "| port | bits |")
    fields = [[f"`layer_{name}`", str(bits), text] for name, (bits, text) in FIELDS.items()]
    assert table == fields


def test_the_example_of_the_schedule() -> None:
    text = (DOCS / "explanation" / "schedule.md").read_text()
    example = text.split("## An example")[1].split("\n## ")[0]
    files = re.search(r"quidam simulate (\S+) (\S+)", example)
    assert files
    config, layer = load_config(ROOT / files[1]), load_layer(ROOT / files[2])
    plan = schedule(config, layer)
    letters = {name: int(getattr(plan.mapping, name)) for name in "pqrtef"}
    assert " ".join(f"{name}={value}" for name, value in letters.items()) in example
    bound, mapping = plan.loops, plan.mapping
    groups = f"G_i = {bound.ifmap_groups}, G_w = {bound.weight_groups}, G_o = {bound.output_groups}"
    assert groups in example
    loops = f"{bound.strips} strips, {bound.tiles} tile, {bound.filter_groups} group of filters, "
    assert loops + f"{bound.passes} passes" in example
    phases = Counter(step.phase for step in walk(config, descriptor(config, layer, mapping)))
    compute = int(plan.bounds["compute"])
    expected = {
        "pass": compute // int(bound.strips * bound.passes),
        "fill": phases["fill"],
        "end": phases["flush"] + phases["settle"] + phases["send"],
        "layer": phases.total(),
    }
    assert phases["run"] == compute
    for name, formula, total in re.findall(
        r"^    (\w+) +([^=]+)= +([\d,]+)$", example, re.MULTILINE
    ):
        assert int(total.replace(",", "")) == expected.pop(name), name
        terms = formula.replace(",", "").replace("x", "*")
        assert re.fullmatch(r"[\d +*()]+", terms)
        assert value_of(terms) == int(total.replace(",", "")), name
    assert not expected
    assert f"{compute:,} of those cycles compute" in example


def value_of(terms: str) -> int:
    """The value of a sum of products, innermost brackets first."""
    while inner := re.search(r"\(([^()]*)\)", terms):
        terms = terms.replace(inner[0], str(value_of(inner[1])))
    total = 0
    for term in terms.split("+"):
        product = 1
        for factor in term.split("*"):
            product *= int(factor)
        total += product
    return total


def test_the_files_of_the_hardware() -> None:
    text = (DOCS / "explanation" / "hardware.md").read_text()
    folder = ROOT / "rtl_gen" / "hardware"
    named = set(re.findall(r"`([\w*]+\.py)`", text))
    found = {name: [path.name for path in folder.glob(name)] for name in named}
    assert all(found.values()), found
    there = {path.name for path in folder.glob("*.py")} - {"__init__.py"}
    assert {name for names in found.values() for name in names} == there


def test_the_modules_of_the_hardware() -> None:
    """What is placed by name is in the table, and what is in the table is emitted."""
    table = {row[0].strip("`") for row in rows("explanation/hardware.md", "| module | file in")}
    placed = set()
    for path in (ROOT / "rtl_gen" / "hardware").glob("*.py"):
        placed |= set(re.findall(r'place\(\s*m,\s*\w+\([^)]*\),\s*"(\w+)"', path.read_text()))
    assert placed
    assert placed | {"accelerator", "sram_DxW"} <= table
    text = accelerator_verilog(small("one_pe"))
    assert table - {"sram_DxW"} <= set(re.findall(r"^module (\w+)", text, re.MULTILINE))
