"""The gate-level simulator: hand counts, laws, and outputs and activity of a whole PE."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from characterize.activity import Activity, Words, simulate
from characterize.netlist import Netlist, read_netlist
from rtl_gen.errors import UserError
from tests.characterize import mini
from tests.characterize.power_reference import (
    FILLING,
    LIBERTIES,
    expected_outputs,
    reference,
    stimulus,
)

ALL = np.uint64(2**64 - 1)
CLK, D, Q = 2, 3, 4
Cells = dict[str, tuple[str, dict[str, int | str]]]


def words(bits: list[int]) -> Words:
    """One bit per cycle, the same in every lane: (cycles, 1)."""
    return (np.array(bits, np.uint64) * ALL)[:, np.newaxis]


def bits(out: Words) -> list[int]:
    """Lane 0 of a one-bit port; all lanes must agree."""
    assert set(out.ravel().tolist()) <= {0, int(ALL)}
    return (out[:, 0] & np.uint64(1)).astype(int).tolist()


def run(folder: Path, netlist: Netlist, **inputs: list[int]) -> Activity:
    stimuli = {name: words(values) for name, values in inputs.items()}
    cycles = len(next(iter(stimuli.values())))
    masks = {"all": np.ones(cycles, np.bool_), "late": np.arange(cycles) >= 2}
    return simulate(netlist, mini.library(folder), stimuli, masks)


def one_cell(folder: Path, kind: str, out: str, **pins: int | str) -> Netlist:
    """One flip-flop between ports clk, d (r, s) and q."""
    cells: Cells = {"u": (kind, {"C": CLK, "D": D, out: Q, **pins})}
    extra = {name.lower(): [bit] for name, bit in pins.items() if isinstance(bit, int)}
    return mini.netlist(folder, cells, {"clk": [CLK], "d": [D], **extra}, {"q": [Q]})


def test_flip_flop_by_hand(tmp_path: Path) -> None:
    activity = run(tmp_path, one_cell(tmp_path, "DFF", "Q"), d=[1, 1, 0, 1, 0])
    assert bits(activity.outputs["q"]) == [0, 1, 1, 0, 1]
    netlist = one_cell(tmp_path, "DFF", "Q")
    (u,) = netlist.instances
    for mask, d_toggles, q_toggles, d_duty, q_duty in (
        ("all", 3 / 4, 3 / 4, 3 / 5, 3 / 5),  # the first cycle has no cycle before it
        ("late", 3 / 3, 2 / 3, 1 / 3, 2 / 3),
    ):
        nets = activity.masks[mask]
        assert nets.toggles[u.pins["D"]] == pytest.approx(d_toggles)
        assert nets.toggles[u.pins["Q"]] == pytest.approx(q_toggles)
        assert nets.duty[u.pins["D"]] == pytest.approx(d_duty)
        assert nets.duty[u.pins["Q"]] == pytest.approx(q_duty)
        assert nets.toggles[u.pins["C"]] == 2
        assert nets.duty[u.pins["C"]] == 0.5
    # (D, held) over the five cycles: 10 11 01 10 01; the clock, between them, is high half of each
    states = activity.masks["all"].states.reshape(2, 2, 2)
    assert list(mini.library(tmp_path).cells["DFF"].pins)[:2] == ["D", "C"]
    for clock in (0, 1):
        np.testing.assert_allclose(states[:, clock].ravel(), [0, 1 / 5, 1 / 5, 1 / 10])
    assert activity.masks["late"].cycles == 3


def test_complemented_storage_starts_at_one(tmp_path: Path) -> None:
    """A cell that stores the complement of D looks as if the register had started at 0."""
    activity = run(tmp_path, one_cell(tmp_path, "DFFN", "QN"), d=[1, 0, 0, 1])
    assert bits(activity.outputs["q"]) == [1, 0, 1, 1]


@pytest.mark.parametrize(("kind", "out", "first"), [("DFF", "Q", 1), ("DFFN", "QN", 0)])
def test_initial_state_is_chosen(tmp_path: Path, kind: str, out: str, first: int) -> None:
    netlist, mask = one_cell(tmp_path, kind, out), {"all": np.ones(1, np.bool_)}
    library, inputs = mini.library(tmp_path), {"d": words([0])}
    activity = simulate(netlist, library, inputs, mask, initial={"u": True})
    assert bits(activity.outputs["q"]) == [first]
    with pytest.raises(UserError, match=r"initial must name flip-flops, not \['v'\]"):
        simulate(netlist, library, inputs, mask, initial={"v": True})


def test_falling_edge_takes_in_mid_cycle(tmp_path: Path) -> None:
    activity = run(tmp_path, one_cell(tmp_path, "DFALL", "Q"), d=[1, 0, 1])
    assert bits(activity.outputs["q"]) == [1, 0, 1]


def test_open_outputs_have_a_net(tmp_path: Path) -> None:
    cells: Cells = {"u": ("DFALL", {"C": CLK, "D": D, "Q": Q})}
    netlist = mini.netlist(tmp_path, cells, {"clk": [CLK], "d": [D]}, {"q": [Q]})
    (u,) = netlist.instances
    nets = run(tmp_path, netlist, d=[1, 0, 0, 0]).masks["all"]
    assert nets.duty[u.pins["Q"]] == 0.25
    assert nets.duty[u.pins["QN"]] == 0.75
    assert nets.toggles[u.pins["QN"]] == pytest.approx(1 / 3)


def test_clear_and_preset_act_at_once(tmp_path: Path) -> None:
    netlist = one_cell(tmp_path, "DCLEAR", "Q", R=5, S=6)
    activity = run(
        tmp_path,
        netlist,
        d=[1, 1, 0, 0, 1, 1],
        r=[1, 0, 1, 1, 0, 1],  # low clears
        s=[1, 1, 1, 0, 0, 1],  # low presets; together the cell says high
    )
    assert bits(activity.outputs["q"]) == [0, 0, 0, 1, 1, 1]


def test_latch_is_open_while_its_enable_is_high(tmp_path: Path) -> None:
    """The clock is high first; the value at the end of a cycle is what it held when that fell."""
    netlist = one_cell(tmp_path, "LATCH", "Q")
    activity = run(tmp_path, netlist, d=[1, 0, 1, 1])
    assert bits(activity.outputs["q"]) == [1, 0, 1, 1]
    cells: Cells = {
        "not": ("NOT", {"A": CLK, "Y": 8}),
        "low": ("LATCH", {"C": 8, "D": D, "Q": 9}),
        "high": ("LATCH", {"C": CLK, "D": 9, "Q": Q}),
    }
    netlist = mini.netlist(tmp_path, cells, {"clk": [CLK], "d": [D]}, {"q": [Q], "l": [9]})
    activity = run(tmp_path, netlist, d=[1, 0, 1, 1])
    assert bits(activity.outputs["l"]) == [1, 0, 1, 1]  # takes in the second half
    assert bits(activity.outputs["q"]) == [0, 1, 0, 1]  # and passes on in the next first half
    # Low's output falls and rises in mid-cycle, once in the cycles 1 and 2 each.
    assert activity.masks["all"].toggles[netlist.instances[1].pins["Q"]] == pytest.approx(2 / 3)


@pytest.mark.parametrize("integrated", [True, False])
def test_gated_clock(tmp_path: Path, integrated: bool) -> None:
    """A word that is written where its enable was high in the cycle before the edge."""
    enable, gated, held = 5, 6, 7
    gate: Cells = {
        "falling": ("DFALL", {"C": CLK, "D": enable, "Q": held}),
        "and": ("AND", {"A": CLK, "B": held, "Y": gated}),
    }
    if integrated:
        gate = {"gate": ("GATE", {"C": CLK, "E": enable, "G": gated})}
    cells: Cells = {**gate, "word": ("DFF", {"C": gated, "D": D, "Q": Q})}
    ports = {"clk": [CLK], "d": [D], "e": [enable]}
    netlist = mini.netlist(tmp_path, cells, ports, {"q": [Q]})
    activity = run(tmp_path, netlist, d=[1, 1, 0, 1, 0, 0], e=[0, 1, 0, 0, 1, 0])
    assert bits(activity.outputs["q"]) == [0, 0, 1, 1, 1, 0]
    nets = activity.masks["all"]
    # Two pulses in the five cycles after the first; each rises and falls.
    word = netlist.instances[-1]
    assert nets.toggles[word.pins["C"]] == pytest.approx(4 / 5)
    assert nets.duty[word.pins["C"]] == pytest.approx(2 / 6 / 2)
    assert nets.toggles[word.pins["Q"]] == pytest.approx(2 / 5)


def test_constants(tmp_path: Path) -> None:
    cells: Cells = {
        "tie": ("ONE", {"Y": 5}),
        "and": ("AND", {"A": 5, "B": "1", "Y": 6}),
        "xor": ("XOR", {"A": 6, "B": "x", "Y": 7}),
    }
    netlist = mini.netlist(tmp_path, cells, {"a": [3]}, {"y": [7], "z": ["0"]})
    activity = run(tmp_path, netlist, a=[0, 1, 0])
    assert bits(activity.outputs["y"]) == [1, 1, 1]
    assert bits(activity.outputs["z"]) == [0, 0, 0]


GATES = st.lists(
    st.tuples(st.sampled_from(("NOT", "AND", "XOR", "DFF")), st.integers(), st.integers()),
    min_size=1,
    max_size=12,
)


def random_netlist(folder: Path, gates: list[tuple[str, int, int]]) -> Netlist:
    """A chain of cells, each on nets that stand before it."""
    cells: Cells = {}
    nets = [3, 4, 5]
    for number, (kind, a, b) in enumerate(gates):
        left, right, out = nets[a % len(nets)], nets[b % len(nets)], 10 + number
        pins: dict[str, int | str] = {"A": left, "B": right, "Y": out}
        if kind == "NOT":
            del pins["B"]
        elif kind == "DFF":
            pins = {"C": CLK, "D": left, "Q": out}
        cells[f"u{number}"] = (kind, pins)
        nets.append(out)
    inputs = {"clk": [CLK], "a": [3, 4, 5]}
    return mini.netlist(folder, cells, inputs, {"y": nets[3:]})


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(gates=GATES, seed=st.integers(0, 2**32))
def test_against_plain_python(tmp_path: Path, gates: list[tuple[str, int, int]], seed: int) -> None:
    """Outputs, toggles, duty and joint states of lane 0 as a loop over cells counts them."""
    netlist = random_netlist(tmp_path, gates)
    rng = np.random.default_rng(seed)
    cycles = 20
    given_words = rng.integers(0, 2**64, (cycles, 3), np.uint64)
    mask = rng.random(cycles) < 0.6
    mask[-1] = True
    library = mini.library(tmp_path)
    activity = simulate(netlist, library, {"a": given_words}, {"m": mask}, lanes=1)
    trace = np.zeros((cycles, netlist.nets), np.int64)
    held = dict.fromkeys((i.name for i in netlist.instances), 0)
    for t in range(cycles):
        values = trace[t]
        values[1] = 1
        values[netlist.ports["a"].nets] = given_words[t] & np.uint64(1)
        for cell in netlist.instances:
            on = [values[cell.pins[pin]] for pin in ("A", "B") if pin in cell.pins]
            match cell.type:
                case "NOT":
                    values[cell.pins["Y"]] = 1 - on[0]
                case "AND":
                    values[cell.pins["Y"]] = on[0] & on[1]
                case "XOR":
                    values[cell.pins["Y"]] = on[0] ^ on[1]
                case "DFF":
                    values[cell.pins["Q"]] = held[cell.name]
        for cell in netlist.instances:
            if cell.type == "DFF":
                held[cell.name] = values[cell.pins["D"]]
    ours = activity.outputs["y"] & np.uint64(1)
    np.testing.assert_array_equal(ours, trace[:, netlist.ports["y"].nets])
    nets = activity.masks["m"]
    real = np.setdiff1d(np.arange(netlist.nets), netlist.ports["clk"].nets)
    np.testing.assert_allclose(nets.duty[real], trace[mask][:, real].mean(axis=0))
    changes = np.diff(trace, axis=0)[mask[1:]][:, real] != 0
    np.testing.assert_allclose(nets.toggles[real], changes.mean(axis=0) if mask[1:].any() else 0)
    for number, cell in enumerate(netlist.instances):
        pins = ["D", "Q"] if cell.type == "DFF" else [p for p in ("A", "B") if p in cell.pins]
        state = sum(trace[mask][:, cell.pins[pin]] << i for i, pin in enumerate(pins))
        expected = np.bincount(state, minlength=1 << len(pins)) / mask.sum()
        first, after = nets.first_state[number : number + 2]
        found = nets.states[first:after]
        if cell.type == "DFF":  # its clock is in the middle: D, C, Q
            found = found.reshape(2, 2, 2).sum(axis=1).ravel()
        np.testing.assert_allclose(found, expected)


def test_lanes_are_independent(tmp_path: Path) -> None:
    """Sixty-four lanes at once are the sixty-four runs of one lane."""
    netlist = random_netlist(tmp_path, [("XOR", 0, 1), ("DFF", 3, 0), ("AND", 4, 2), ("NOT", 5, 0)])
    library = mini.library(tmp_path)
    given_words = np.random.default_rng(1).integers(0, 2**64, (9, 3), np.uint64)
    mask = {"m": np.ones(9, np.bool_)}
    together = simulate(netlist, library, {"a": given_words}, mask)
    toggles = np.zeros(netlist.nets)
    for lane in range(64):
        alone = given_words >> np.uint64(lane) & np.uint64(1)
        one = simulate(netlist, library, {"a": alone}, mask, lanes=1)
        seen = together.outputs["y"] >> np.uint64(lane) & np.uint64(1)
        np.testing.assert_array_equal(one.outputs["y"] & np.uint64(1), seen)
        toggles += one.masks["m"].toggles / 64
    np.testing.assert_allclose(together.masks["m"].toggles, toggles)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            {"p": ("AND", {"A": 3, "B": 6, "Y": 5}), "q": ("NOT", {"A": 5, "Y": 6})},
            "no combinational loop, not (p -> q|q -> p)$",
        ),
        ({"p": ("BANK", {"Q": 5})}, "cell BANK must be a gate, .*: statetable"),
        ({"p": ("NOT", {"A": 9, "Y": 5})}, "must have a driver, which an input of p lacks"),
        (
            {"p": ("NOT", {"A": 3, "Y": 5}), "q": ("NOT", {"A": 3, "Y": 5})},
            "must have one driver, not p and another",
        ),
        ({"p": ("NOT", {"A": 3, "Y": 3})}, "must have one driver, not p"),
        ({"p": ("DFF", {"C": 3, "D": 3, "Q": 5})}, "clocks must come from .*, which p's does not"),
    ],
)
def test_what_cannot_be_simulated_is_refused(tmp_path: Path, cells: Cells, message: str) -> None:
    netlist = mini.netlist(tmp_path, cells, {"clk": [CLK], "a": [3]}, {"y": [5]})
    with pytest.raises(UserError, match=message):
        run(tmp_path, netlist, a=[0, 1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lanes": 0}, "lanes must be 1 to 64, not 0"),
        ({"inputs": {}}, r"inputs must be \['d'\], not \[\]"),
        ({"inputs": {"d": words([0, 1, 0])}}, r"one number of cycles, not \[2, 3\]"),
        ({"inputs": {"d": words([0, 1]).astype(np.int64)}}, "input d must be uint64"),
        ({"masks": {"m": np.zeros(2, np.bool_)}}, "mask 'm' must select at least one cycle"),
    ],
)
def test_odd_stimuli_are_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    netlist = one_cell(tmp_path, "DFF", "Q")
    arguments = {"inputs": {"d": words([0, 1])}, "masks": {"m": np.ones(2, np.bool_)}, **changes}
    with pytest.raises(UserError, match=message):
        simulate(netlist, mini.library(tmp_path), **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"p": ("NAND", {"A": 3, "Y": 5})}, "mapped to library mini, not hold p of type 'NAND'"),
        ({"p": ("NOT", {"Z": 3, "Y": 5})}, "mapped to library mini, not hold p of type 'NOT'"),
        ({"p": ("AND", {"A": 3, "Y": 5})}, "must connect every input, not leave p/B open"),
    ],
)
def test_odd_netlists_are_refused(tmp_path: Path, cells: Cells, message: str) -> None:
    with pytest.raises(UserError, match=f"netlist.json: a netlist .*{message}"):
        mini.netlist(tmp_path, cells, {"a": [3]}, {"y": [5]})


@pytest.mark.parametrize("text", ["", "{}", '{"modules": {}}', '{"modules": {"a": 3}}'])
def test_what_is_no_netlist_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"bad\.json: a netlist must"):
        read_netlist(path, mini.library(tmp_path))


@pytest.mark.eda
@pytest.mark.parametrize("technology", LIBERTIES)
def test_a_whole_pe(technology: str) -> None:
    """2,240 cycles: the RTL's outputs on every cycle, everyone's toggles and duty on every pin."""
    case = reference(technology)
    inputs = stimulus(case.netlist)
    cycle = np.arange(len(inputs["rst"]))
    # The reference counts toggles inside the window only; its first cycle has none before it.
    masks = {"duty": cycle >= FILLING, "toggles": cycle > FILLING}
    activity = simulate(case.netlist, case.library, inputs, masks, lanes=1)
    value = (activity.outputs["psum_out"] & np.uint64(1)).astype(np.int64) @ (1 << np.arange(20))
    expected = expected_outputs()
    assert len(expected) == 2000
    np.testing.assert_array_equal(value[FILLING + 1 :], expected[:-1])
    pins = {f"{i.name}/{pin}": net for i in case.netlist.instances for pin, net in i.pins.items()}
    for name, port in case.netlist.ports.items():
        indexed = {f"{name}[{i}]": net for i, net in enumerate(port.nets)}
        pins.update(indexed if len(port.nets) > 1 else {name: port.nets[0]})
    nets = np.array([pins[pin] for pin in case.activity])
    toggles, duty = np.array([*case.activity.values()]).T
    assert len(nets) > 5000
    np.testing.assert_allclose(activity.masks["toggles"].toggles[nets], toggles, atol=1e-6)
    np.testing.assert_allclose(activity.masks["duty"].duty[nets], duty, atol=1e-6)
