# amaranth: UnusedElaboratable=no
# (components placed by name are elaborated where their module is emitted)
"""Accelerator: the core, and the control that stands before it. The top."""

from amaranth import Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.config import AcceleratorConfig
from rtl_gen.descriptor import FIELDS
from rtl_gen.hardware.axi import axi_lite, axi_stream
from rtl_gen.hardware.control import Control
from rtl_gen.hardware.core import Core
from rtl_gen.hardware.place import copy, place
from rtl_gen.registers import ADDRESS_BITS


class Accelerator(wiring.Component):
    """A whole row-stationary accelerator with standard ports (docs/reference/registers.md).

    Members
    -------
    s_axi_control : AXI4-Lite, the registers of `rtl_gen.registers`. irq : level.
    s_axis_weights, s_axis_ifmaps, m_axis_outputs : AXI4-Stream, beats in the order of
        `rtl_gen.streams`; the outputs of a layer are a frame.
    """

    s_axi_control: wiring.PureInterface
    s_axis_weights: wiring.PureInterface
    s_axis_ifmaps: wiring.PureInterface
    m_axis_outputs: wiring.PureInterface
    irq: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "s_axi_control": In(axi_lite(ADDRESS_BITS)),
                "s_axis_weights": In(axi_stream(config.bus_bits)),
                "s_axis_ifmaps": In(axi_stream(config.bus_bits)),
                "m_axis_outputs": Out(axi_stream(config.bus_bits, last=True)),
                "irq": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        control = place(m, Control(self.config), "control", "control")
        reset = ResetSignal() | control.core_reset
        core = place(m, Core(self.config), "core", "core", reset=reset)
        for name in ("s_axi_control", "s_axis_weights", "s_axis_ifmaps", "m_axis_outputs"):
            wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(control, name))
        copy(m, control, self, ("irq",))
        copy(m, control, core, ("start",))
        copy(m, core, control, ("busy", "last"))
        copy(m, control.layer, core.layer, tuple(FIELDS))
        for name in ("weights", "ifmaps", "outputs"):
            wiring.connect(m, getattr(control, name), getattr(core, name))
        return m
