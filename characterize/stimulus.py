# amaranth: UnusedElaboratable=no
"""Stimulus: what a component sees, cycle by cycle, while it runs a real quantized layer.

64 contexts (images, channel passes, rows, columns) run side by side, one a lane. What the RTL
answers is found by simulating the very component in Amaranth, for the lanes of `CHECKED`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.lib import wiring
from numpy.typing import NDArray

from characterize import traces, traces_control, traces_mac
from characterize.rtl_simulation import answers
from characterize.sample import digest
from characterize.stimulus_layer import Contexts, contexts
from characterize.trace import Trace
from rtl_gen.backend.names import port_name
from rtl_gen.components import MEASURED, WITH_SCRATCHPADS
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.hardware.bank import Bank
from rtl_gen.hardware.collector import Collector
from rtl_gen.hardware.control import Control
from rtl_gen.hardware.controller import Controller
from rtl_gen.hardware.mac import Mac
from rtl_gen.hardware.node import NetworkNode
from rtl_gen.hardware.pe import ProcessingElement
from rtl_gen.hardware.row import NetworkRow
from rtl_gen.storage import FLIPFLOP

Bits = NDArray[np.uint64]

#: Lanes whose outputs the RTL simulation gives: of each of the three rows, with images and columns
#: of their own.
CHECKED = (21, 22, 59)

#: The config of a component leaves open what its hardware does not depend on: Eyeriss's values.
REPRESENTATIVE = {
    "rows": 12,
    "columns": 14,
    "ifmap_words": 12,
    "weight_words": 224,
    "psum_words": 24,
    "buffer_kib": 108,
    "bus_bits": 128,
}

_COMPONENTS: dict[str, tuple[Callable[..., Any], Callable[[Contexts], Trace]]] = {
    "pe": (ProcessingElement, traces.pe_trace),
    "mac": (lambda config: Mac(config.arithmetic), traces_mac.mac_trace),
    "node": (NetworkNode, traces.node_trace),
    "row": (NetworkRow, traces.row_trace),
    "bank": (Bank, traces.bank_trace),
    "collector": (Collector, traces.collector_trace),
    "controller": (Controller, traces_control.controller_trace),
    "control": (Control, traces_control.control_trace),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stimulus:
    """Inputs and expected outputs of a component, bit-sliced.

    Parameters
    ----------
    inputs : port, by its Verilog name -> uint64 (cycles, width); bit l of [t, b] is bit b of the
        port in lane l. Values stand during cycle t and are sampled by the clock edge that ends it.
    outputs : the same of every output, as the RTL gives it; only the bits of `checked` count.
    checked : mask of the lanes whose outputs are known.
    events : event -> bool (cycles,), the cycles spent in it by every lane.
    """

    inputs: dict[str, Bits]
    outputs: dict[str, Bits]
    checked: np.uint64
    events: dict[str, NDArray[np.bool_]]


def component_config(
    component: str, arithmetic: str, parameters: Mapping[str, int], scratchpads: str = FLIPFLOP
) -> AcceleratorConfig:
    """The config whose `component` has `parameters` (the fields that `MEASURED` names).

    Raises
    ------
    UserError
        When the component is unknown, or the parameters are not exactly its fields.
    """
    if component not in MEASURED:
        raise UserError(f"component must be one of {', '.join(MEASURED)}, not {component!r}")
    if set(parameters) != set(MEASURED[component].fields):
        raise UserError(
            f"parameters of {component} must be {', '.join(MEASURED[component].fields)}, "
            f"not {', '.join(parameters)}"
        )
    return AcceleratorConfig.from_mapping(
        {
            "arithmetic": arithmetic,
            **REPRESENTATIVE,
            **parameters,
            "scratchpads": scratchpads,
        }
    )


def hardware_for(component: str, config: AcceleratorConfig) -> wiring.Component:
    """The Amaranth component of one kind."""
    made: wiring.Component = _COMPONENTS[component][0](config)
    return made


def stimulus_for(component: str, config: AcceleratorConfig, cache: Path | None = None) -> Stimulus:
    """Real stimulus for one component, with the RTL's answers.

    Parameters
    ----------
    cache : existing folder of a run, where the builds of one PE find the answers they have in
        common; None for none.

    Raises
    ------
    UserError
        When the config can't run the layer the stimulus is taken from.
    """
    trace = _COMPONENTS[component][1](contexts(config))
    outputs = _answers(component, config, trace, cache)
    return Stimulus(
        inputs={port_name(name): bits for name, bits in trace.inputs.items()},
        outputs={port_name(name): bits for name, bits in outputs.items()},
        checked=np.uint64(sum(1 << lane for lane in CHECKED)),
        events=trace.events,
    )


def _answers(
    component: str, config: AcceleratorConfig, trace: Trace, cache: Path | None
) -> dict[str, Bits]:
    """What the RTL answers, by port; from the cache if it is there."""
    fields = {name: getattr(config, name) for name in MEASURED[component].fields}
    inputs = hashlib.sha256()
    for name, bits in trace.inputs.items():
        inputs.update(name.encode() + bits.tobytes())
    key = digest(
        {
            "component": component,
            "arithmetic": config.arithmetic.name,
            "macros": config.weight_macros,
            "inputs": inputs.hexdigest(),
            **fields,
        }
    )
    kept = None if cache is None else cache / f"{key}.npz"
    if kept is not None and kept.is_file():
        with np.load(kept) as found:
            return dict(found)
    outputs = answers(_plain(component, config), trace.inputs, CHECKED)
    if kept is not None:
        part = kept.with_suffix(f".{os.getpid()}.npz")
        arrays: dict[str, Any] = outputs
        np.savez(part, **arrays)
        part.replace(kept)
    return outputs


def _plain(component: str, config: AcceleratorConfig) -> wiring.Component:
    """The component with flip-flops for words, which are all that Amaranth can simulate."""
    if component in WITH_SCRATCHPADS:
        return ProcessingElement(config, storage=FLIPFLOP)
    return hardware_for(component, config)
