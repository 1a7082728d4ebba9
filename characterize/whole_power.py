"""Power of a whole accelerator, told apart by the components it is made of.

A net's switching is shared out among the pins that hang on it: those of a component count as its
own, whoever drives them. So does a component that is measured alone count its inputs, and the two
can be compared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from characterize.activity import NetActivity
from characterize.cells import Library
from characterize.netlist import Netlist
from characterize.power import PowerReport

#: What belongs to no component: the logic between them.
GLUE = "glue"
#: Where instances of each kind of component lie in the hierarchy.
_PLACES = {
    "pe": r"core\.array\.pe_\d+_\d+",
    "node": r"core\.array\.node_\d+_\d+",
    "row": r"core\.array\.row_\d+",
    "bank": r"core\.bank_\d+",
    "collector": r"core\.collector",
    "controller": r"core\.controller",
    "control": r"control",
}
_PLACE = re.compile("|".join(rf"(?P<{kind}>{place}\.)" for kind, place in _PLACES.items()))

#: Kind of component -> which instances are of it, (instances,).
Owners = Mapping[str, NDArray[np.bool_]]


def kind_of(instance: str) -> str:
    """The kind of component that an instance of the netlist belongs to, or `GLUE`."""
    match = _PLACE.match(instance)
    return match.lastgroup or GLUE if match else GLUE


def owners_of(netlist: Netlist) -> dict[str, NDArray[np.bool_]]:
    """Which instances are of each kind; every instance is of one."""
    kinds = np.array([kind_of(instance.name) for instance in netlist.instances])
    return {kind: kinds == kind for kind in (*_PLACES, GLUE)}


def switching_by_pins(
    netlist: Netlist, library: Library, activity: NetActivity, owners: Owners, clock_ns: float
) -> dict[str, tuple[float, float]]:
    """Kind -> mW that its own pins take, and those of them that hang on the clock's net."""
    clock = np.zeros(netlist.nets, np.bool_)
    if "clk" in netlist.ports:
        clock[netlist.ports["clk"].nets] = True
    data = np.zeros(len(netlist.instances))
    clocked = np.zeros(len(netlist.instances))
    toggles = activity.toggles.tolist()
    on_clock = clock.tolist()
    for number, instance in enumerate(netlist.instances):
        pins = library.cell(instance.type).pins
        for pin, net in instance.pins.items():
            energy = pins[pin].capacitance_pf * toggles[net]
            (clocked if on_clock[net] else data)[number] += energy
    scale = 0.5 * library.voltage_v**2 / clock_ns
    return {
        kind: (float(data[chosen].sum()) * scale, float(clocked[chosen].sum()) * scale)
        for kind, chosen in owners.items()
    }


def power_by_kind(
    netlist: Netlist,
    library: Library,
    activity: NetActivity,
    report: PowerReport,
    owners: Owners,
    clock_ns: float,
) -> dict[str, dict[str, float]]:
    """Kind -> part -> mW: "leakage", "internal", "switching" and "clock" (the clock net's pins).

    They add up to all of the report.
    """
    switching = switching_by_pins(netlist, library, activity, owners, clock_ns)
    return {
        kind: {
            "leakage": float(report.leakage_mw[chosen].sum()),
            "internal": float(report.internal_mw[chosen].sum()),
            "switching": switching[kind][0],
            "clock": switching[kind][1],
        }
        for kind, chosen in owners.items()
    }
