"""Where components meet: the groups of their ports, and which output reaches which input.

The longest path of an accelerator may begin in one component and end in another. So a component is
timed as an extracted timing model, the standard form of hierarchical static timing: how late each
group of outputs is after a clock edge, how long before one each group of inputs must be there, and
how long the way through is from one to the other. The composition (`models.paths`) joins them along
the connections that stand here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter

#: In the place of a group: registers. "fall": those that take their input at the falling edge.
CLOCK = "clock"
FALL = "fall"
#: The reset of every component.
RESET = "reset"

#: A group of inputs or outputs of a kind of component.
End = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interfaces:
    """The groups of ports of one kind of component; `clk` and `rst` are in none.

    Parameters
    ----------
    inputs, outputs : group -> patterns (`*`, `?`) of its ports' names in Verilog.
    through : (group of inputs, group of outputs) between which no register lies.
    """

    inputs: Mapping[str, tuple[str, ...]]
    outputs: Mapping[str, tuple[str, ...]]
    through: tuple[tuple[str, str], ...] = ()

    def segments(self) -> tuple[tuple[str, str], ...]:
        """All parts of paths that may lie in the component: (from, to), `CLOCK` at either end."""
        return (
            *((CLOCK, group) for group in self.outputs),
            *((group, end) for group in (*self.inputs, RESET) for end in (CLOCK, FALL)),
            *self.through,
        )


INTERFACES: dict[str, Interfaces] = {
    "pe": Interfaces(
        inputs={
            "active": ("active",),
            "word": ("activation", "ifmap_write", "weight_write"),
            "order": (
                *("mac", "accumulate", "first", "drain", "weight"),
                *("ifmap_*_address", "weight_*_address", "psum_address"),
            ),
            "psum_in": ("psum_in",),
            "sram": ("weight_sram_?_read_data",),
        },
        outputs={
            "psum_out": ("psum_out",),
            "sram": tuple(
                f"weight_sram_?_{port}" for port in ("enable", "write", "address", "write_data")
            ),
        },
        through=(("active", "sram"), ("word", "sram"), ("order", "sram")),
    ),
    "node": Interfaces(
        inputs={
            "beat": ("ifmap_data", "load_*", "ifmap_target", "ifmap_group", "weight_*"),
            "place": ("row_set", "row_tap", "row_group", "column_set", "column_offset"),
            "active": ("row_active", "column_active"),
        },
        outputs={"word": ("activation", "ifmap_write", "weight_write"), "active": ("active",)},
        through=(("beat", "word"), ("place", "word"), ("active", "word"), ("active", "active")),
    ),
    "row": Interfaces(
        inputs={
            "above": ("above_*",),
            "layer": ("kernel_rows", "sets"),
            "place": ("set_index", "tap"),
        },
        outputs={
            "here": ("here_*",),
            "late": ("late_*",),
            "place": ("next_*",),
            "active": ("active",),
        },
    ),
    "bank": Interfaces(
        inputs={
            "control": ("control_*", "odd_output"),
            "chain": ("chain",),
            "sram": ("even_read", "odd_read"),
            "layer": ("column_*", "offset_step"),
            "place": ("set_index", "tap", "offset"),
        },
        outputs={
            "sram": ("even_write", "odd_write"),
            "word": ("word",),
            "place": ("next_*",),
            "active": ("active",),
        },
        through=(("control", "word"), ("sram", "word")),
    ),
    "collector": Interfaces(
        inputs={
            "drain": ("drain", "fresh"),
            "layer": ("layer_*",),
            "send": ("send", "send_words", "final_"),
            "sums": ("sums",),
            "sram": ("parameter_data",),
            "ready": ("outputs_ready",),
        },
        outputs={
            "done": ("send_done", "finished"),
            "sram": ("even_*", "odd_enable", "odd_write", "odd_address", "parameter_*"),
            "control": ("control_*", "odd_output"),
            "outputs": ("outputs_payload", "outputs_valid", "last"),
        },
        through=(
            *(("layer", "done"), ("layer", "sram")),
            *(("ready", "done"), ("ready", "sram"), ("drain", "sram")),
        ),
    ),
    "controller": Interfaces(
        inputs={
            "layer": ("start", "layer_*"),
            "streams": ("weights_*", "ifmaps_*"),
            "sram": ("sram_data",),
            "done": ("send_done", "finished"),
        },
        outputs={
            "busy": ("busy",),
            "ready": ("weights_ready", "ifmaps_ready"),
            "sram": ("sram_*", "parameter_*", "send_half"),
            "issue": ("issue_*",),
            "send": ("send", "send_words", "final_"),
        },
        through=(
            *(("layer", "ready"), ("layer", "sram"), ("layer", "send")),
            *(("streams", "sram"), ("streams", "send"), ("sram", "issue"), ("done", "send")),
        ),
    ),
    "control": Interfaces(
        inputs={
            "bus": ("s_axi_*",),
            "axis": ("s_axis_*", "m_axis_*"),
            "busy": ("busy",),
            "ready": ("weights_ready", "ifmaps_ready"),
            "outputs": ("outputs_payload", "outputs_valid", "last"),
        },
        outputs={
            "bus": ("s_axi_*", "irq"),
            "axis": ("s_axis_*", "m_axis_*"),
            "reset": ("core_reset",),
            "layer": ("start", "layer_*"),
            "streams": ("weights_*", "ifmaps_*"),
            "ready": ("outputs_ready",),
        },
        through=(("axis", "streams"), ("axis", "ready"), ("ready", "axis")),
    ),
}

#: Output -> the inputs that it reaches. Memories and the outside are reached by the others.
CONNECTIONS: dict[End, tuple[End, ...]] = {
    ("controller", "issue"): (("row", "above"),),
    ("controller", "send"): (("collector", "send"),),
    ("controller", "busy"): (("control", "busy"),),
    ("controller", "ready"): (("control", "ready"),),
    ("row", "here"): (("row", "above"), ("node", "beat"), ("pe", "order")),
    ("row", "late"): (("pe", "order"), ("collector", "drain")),
    ("row", "place"): (("row", "place"), ("node", "place")),
    ("row", "active"): (("node", "active"),),
    ("node", "word"): (("pe", "word"),),
    ("node", "active"): (("pe", "active"),),
    ("pe", "psum_out"): (("pe", "psum_in"), ("bank", "chain")),
    ("bank", "word"): (("collector", "sums"),),
    ("bank", "place"): (("bank", "place"), ("node", "place")),
    ("bank", "active"): (("node", "active"),),
    ("collector", "control"): (("bank", "control"),),
    ("collector", "done"): (("controller", "done"),),
    ("collector", "outputs"): (("control", "outputs"),),
    ("control", "layer"): (
        *(("controller", "layer"), ("collector", "layer")),
        *(("row", "layer"), ("bank", "layer")),
    ),
    ("control", "streams"): (("controller", "streams"),),
    ("control", "ready"): (("collector", "ready"),),
    ("control", "reset"): tuple(
        (kind, RESET) for kind in INTERFACES if kind not in ("node", "control")
    ),
}

#: Input that a memory's word reaches -> the memory, by its name in `rtl_gen.memories`.
MEMORIES: dict[End, str] = {
    ("controller", "sram"): "ifmap_sram",
    ("collector", "sram"): "parameter_sram",
    ("bank", "sram"): "psum_sram",
    ("pe", "sram"): "weight_sram",
}


def segment_name(start: str, end: str) -> str:
    """The name of a segment in a sample, `word>clock`."""
    return f"{start}>{end}"


def inputs_in_order() -> Iterable[End]:
    """Every group of inputs that an output reaches, each after those that paths reach it through.

    Raises
    ------
    graphlib.CycleError
        When a path could go round without a register.
    """
    before: dict[End, set[End]] = {}
    for (kind, group), sinks in CONNECTIONS.items():
        sources = {(kind, entry) for entry, out in INTERFACES[kind].through if out == group}
        for sink in sinks:
            before.setdefault(sink, set()).update(sources)
    return TopologicalSorter(before).static_order()
