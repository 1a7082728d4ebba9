"""What a Liberty file says: hand-made corners, and the parser of others as oracle on a real one."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from characterize.boolean import Expression, evaluate, parse, pins, truth_table
from characterize.cells import Table
from characterize.liberty import read_library
from rtl_gen.errors import UserError
from tests.characterize import mini
from tests.characterize.power_reference import LIBERTIES, need_liberties

NAMES = ("A", "B", "CI", "D[0]")


def tables(text: str) -> list[bool]:
    return list(truth_table(parse(text), ("A", "B", "C")))


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("A'", "!A"),
        ("A B", "A&B"),
        ("A*B", "A&B"),
        ("A+B", "A|B"),
        ("A|B&C", "A|(B&C)"),
        ("A&B^C", "A&(B^C)"),
        ("!A^B", "(!A)^B"),
        ("(A B)'C", "(!(A&B))&C"),
        ("A''", "A"),
        ('"A" & !"B"', "A&!B"),
        ("A & 1 | 0", "A"),
    ],
)
def test_every_spelling_means_the_same(text: str, same: str) -> None:
    assert tables(text) == tables(same)


def test_truth_table_counts_the_first_pin_lowest() -> None:
    assert tables("A&!B") == [False, True, False, False, False, True, False, False]


@pytest.mark.parametrize("text", ["", "A &", "(A", "A)", "& A", "A @ B", "A ! | B"])
def test_odd_expressions_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Boolean expression must"):
        parse(text)


def spelled(expression: Expression) -> st.SearchStrategy[str]:
    """Any of the ways to write it."""
    match expression.operator:
        case "pin" | "constant":
            return st.just(expression.name)
        case "not":
            inner = spelled(expression.operands[0])
            return st.one_of(inner.map("!({})".format), inner.map("({})'".format))
    signs = {"and": ("&", "*", " "), "or": ("|", "+"), "xor": ("^", " ^ ")}
    left, right = map(spelled, expression.operands)
    return st.builds("({}){}({})".format, left, st.sampled_from(signs[expression.operator]), right)


EXPRESSIONS = st.recursive(
    st.sampled_from(
        [*(Expression("pin", name=n) for n in NAMES), Expression("constant", name="1")]
    ),
    lambda inner: st.one_of(
        inner.map(lambda e: Expression("not", (e,))),
        st.builds(
            lambda o, a, b: Expression(o, (a, b)),
            st.sampled_from(("and", "or", "xor")),
            inner,
            inner,
        ),
    ),
    max_leaves=8,
)


@given(st.data())
def test_what_is_spelled_is_read(data: st.DataObject) -> None:
    expression = data.draw(EXPRESSIONS)
    assert parse(data.draw(spelled(expression))) == expression
    assert pins(expression) <= set(NAMES)


def test_units_are_one_system(tmp_path: Path) -> None:
    library = mini.library(tmp_path)
    assert (library.name, library.voltage_v, library.temperature_c) == ("mini", 1.0, 25.0)
    np.testing.assert_allclose(
        [library.time_ns, library.capacitance_pf, library.leakage_mw, library.energy_pj],
        [0.01, 0.002, 1e-3, 0.002],
    )
    inverter = library.cells["NOT"]
    assert inverter.area_um2 == 1.5
    assert inverter.leakage_mw == pytest.approx(3e-3)
    assert inverter.pins["A"].capacitance_pf == pytest.approx(0.002)
    (energy,) = inverter.pins["Y"].powers
    assert energy.fall.at(0.1, 1.0) == pytest.approx(0.004)
    assert [name for name, _ in energy.rise.axes] == ["load_pf", "slew_ns"]
    assert energy.rise.at(0.02, 0.002) == pytest.approx(0.02)
    assert energy.rise.at(0.04, 0.006) == pytest.approx(0.08)


def test_defaults_and_conditions(tmp_path: Path) -> None:
    cells = mini.library(tmp_path).cells
    assert cells["XOR"].leakage_mw == pytest.approx(7e-3)  # the library's default
    assert cells["AND"].leakage_mw == pytest.approx(4e-3)  # the group without condition
    assert [value for _, value in cells["AND"].leakages] == pytest.approx([8e-3, 2e-3])
    assert cells["AND"].pins["A"].capacitance_pf == pytest.approx(0.004)  # mean of rise and fall
    assert [g.when is None for g in cells["AND"].pins["B"].powers] == [False, True]
    assert cells["LATCH"].latch is not None
    assert cells["LATCH"].sequential
    assert cells["BANK"].unsupported == "statetable"
    flip_flop = cells["DCLEAR"].flip_flop
    assert flip_flop is not None
    assert flip_flop.clear == parse("!R")
    assert flip_flop.both
    assert cells["DFF"].pins["C"].clock


def test_clock_gates_are_latches_before_an_and(tmp_path: Path) -> None:
    gate = mini.library(tmp_path).cells["GATE"]
    assert gate.clock_gate == "latch_posedge"
    assert gate.unsupported == ""
    assert gate.latch is not None
    assert gate.latch.enable == parse("!C")
    assert gate.latch.data == parse("E")
    assert gate.pins["G"].function == parse("C & IQ")


@given(
    slew=st.floats(-1, 10),
    load=st.floats(-1, 10),
    plane=st.tuples(*[st.floats(-5, 5)] * 4),
)
def test_interpolation_is_exact_where_it_should_be(
    slew: float, load: float, plane: tuple[float, float, float, float]
) -> None:
    """Bilinear functions come back exactly, inside the table and beyond it."""

    def function(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        a, b, c, d = plane
        return a + b * x + c * y + d * x * y

    x, y = np.array([0.5, 1.0, 4.0]), np.array([0.1, 2.0])
    table = Table(axes=(("slew_ns", x), ("load_pf", y)), values=function(x[:, None], y[None, :]))
    expected = function(np.array(slew), np.array(load))
    np.testing.assert_allclose(table.at(slew, load), expected, rtol=1e-9, atol=1e-6)


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    """A file cut anywhere gives one UserError that names the file."""
    path = tmp_path / "cut.lib"
    whole = mini.LIBERTY.rstrip()
    for end in range(0, len(whole), 7):
        path.write_text(whole[:end])
        with pytest.raises(UserError, match=r"cut\.lib:\d+: "):
            read_library(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('index_1 ("1, 3")', 'index_1 ("3, 1")', "index_1 must be increasing numbers"),
        ('values ("5, 5")', 'values ("5")', "a table must have [2] values, not 1"),
        ('values ("5, 5")', 'values ("5, x")', "must be numbers, not '\"5, x\"'"),
        ('function : "A B"', 'function : "A &"', "a Boolean expression must"),
        ('"10ps"', '"10 parsec"', "a unit must be like"),
        ("total_output_net_capacitance", "fanout", "must be over slew and load, not 'fanout'"),
        ("area : 1.5", "area : wide", "must be a number of at least 0, not 'wide'"),
        ("area : 1.5", "area : nan", "must be a number of at least 0, not 'nan'"),
        ("area : 1.5", "area : 1_5", "must be a number of at least 0, not '1_5'"),
        ("area : 1.5", "area : -1.5", "must be a number of at least 0, not '-1.5'"),
        ("area : 1.5", "area : 1.5; area : 2", "must give area once, not '1.5' and '2'"),
        ('time_unit : "10ps"', "", "must say its time_unit"),
        ('time_unit : "10ps"', 'time_unit : "0ps"', "a unit must be more than 0"),
        ("cell (XOR)", "cell (AND)", "must have a name of its own, not 'AND' again"),
        ("cell (XOR)", "cell ()", "must have one name, not ()"),
        ("pin (B)", "pin (A)", "must have pins of different names, not 'A' twice"),
        ('function : "A B"', f'function : "{"!" * 999}A"', "must nest 128 deep at most"),
        ("library (mini) {", "library (mini) { }", "must not close a group that is not open"),
        ("library (mini)", "libary (mini)", "must hold one library group"),
        ("area : 1.5", "@", "must have a statement here, not '@'"),
        ("area : 1.5", "area 1.5", "must have ':' or '(...)' after 'area'"),
        ('clocked_on : "C"; }', "}", "must have two nodes, clocked_on and next_state"),
    ],
)
def test_odd_files_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "odd.lib"
    path.write_text(mini.LIBERTY.replace(old, new, 1))
    with pytest.raises(UserError) as error:
        read_library(path)
    assert "odd.lib:" in str(error.value)
    assert message in str(error.value)


def test_the_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "odd.lib"
    path.write_text("library (x) {\n\n cell (A) {\n  area : 1;\n  %\n }\n}\n")
    with pytest.raises(UserError, match=r"odd\.lib:5: "):
        read_library(path)


def test_compressed_files(tmp_path: Path) -> None:
    path = tmp_path / "mini.lib.gz"
    data = gzip.compress(mini.LIBERTY.encode())
    path.write_bytes(data)
    assert read_library(path).cells.keys() == mini.library(tmp_path).cells.keys()
    for broken in (data[:-20], b"not gzip", b""):
        path.write_bytes(broken)
        with pytest.raises(UserError, match=r"mini\.lib\.gz"):
            read_library(path)
    with pytest.raises(UserError, match=r"none\.lib: .*must be readable"):
        read_library(tmp_path / "none.lib")


@pytest.mark.eda
def test_others_read_the_same() -> None:
    """liberty-parser (another author's) on osu018: areas, capacitances, functions, tables."""
    from liberty.parser import parse_liberty

    need_liberties("osu018")
    (path,) = LIBERTIES["osu018"]
    ours = read_library(path)
    compared = 0
    for theirs in parse_liberty(path.read_text()).get_groups("cell"):
        cell = ours.cells[theirs.args[0]]
        assert cell.area_um2 == theirs["area"]
        assert cell.leakage_mw == pytest.approx(theirs["cell_leakage_power"] * 1e-6)
        for pin in theirs.get_groups("pin"):
            mine = cell.pins[pin.args[0]]
            assert mine.direction == pin["direction"]
            assert mine.capacitance_pf == pytest.approx(pin["capacitance"])
            for power, group in zip(mine.powers, pin.get_groups("internal_power"), strict=True):
                for table, edge in ((power.rise, "rise_power"), (power.fall, "fall_power")):
                    (part,) = group.get_groups(edge) or group.get_groups("power")
                    np.testing.assert_array_equal(
                        table.values.ravel(), part.get_array("values").ravel()
                    )
                    np.testing.assert_array_equal(
                        table.axes[0][1], part.get_array("index_1").ravel()
                    )
                    compared += table.values.size
    assert compared > 3000


@pytest.mark.eda
@pytest.mark.parametrize("technology", LIBERTIES)
def test_functions_as_others_read_them(technology: str) -> None:
    """The functions of six libraries against liberty-parser's Boolean parser, state by state."""
    from liberty.boolean_functions import parse_boolean_function
    from sympy import lambdify, symbols

    need_liberties(technology)
    library = read_library(*LIBERTIES[technology])
    texts = {
        pin.text("function")
        for cell in library.cells.values()
        for pin in cell.group.named("pin")
        if pin.text("function")
    }
    assert len(texts) > 10
    for text in sorted(texts):
        names = sorted(pins(parse(text)))
        states = [np.arange(1 << len(names)) >> i & 1 == 1 for i in range(len(names))]
        theirs = lambdify(symbols(names), parse_boolean_function(text), "numpy")(*states)
        assert (truth_table(parse(text), names) == theirs).all(), text


@pytest.mark.eda
@pytest.mark.parametrize("technology", ["osu018", "nangate45", "sky130hd"])
def test_real_libraries_are_read(technology: str) -> None:
    need_liberties(technology)
    assert len(read_library(*LIBERTIES[technology]).cells) > 30


def test_evaluate_takes_arrays() -> None:
    states = np.array([[False, True], [True, True]])
    values = {"A": states, "B": ~states}
    assert evaluate(parse("A|B"), values).all()
    assert not evaluate(parse("A&B"), values).any()
