"""The instruction: what flows down the rows of the array, one row a cycle.

Every PE of a row obeys the same instruction in the same cycle; the row below obeys it one cycle
later, just when the sum of the row above arrives. Data for the scratchpads ride along with it.
"""

from amaranth import unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from amaranth.utils import bits_for

from rtl_gen.config import AcceleratorConfig

#: Bits of a coordinate in the array: a set, a tap, a group of lanes.
COORDINATE = 8


def address_bits(words: int) -> int:
    """Bits of an address into `words` words; never 0, so that every port exists."""
    return int(bits_for(words - 1))


def instruction(config: AcceleratorConfig) -> wiring.Signature:
    """Members of an instruction.

    data : a beat of weights (lane: row of the array) or of inputs (lane: ifmap row).
    load_weight, load_ifmap : the beat is to be written to the scratchpads it is meant for.
    target : the set of columns (weights) or of rows (inputs) it is meant for.
    group : which group of lanes the beat carries.
    mac : multiply and accumulate; first : into a sum that starts anew.
    drain : the old sum leaves down the column; fresh : it is the first of its output.
    *_address : the words concerned, for writing and for reading.
    """
    return wiring.Signature(
        {
            "data": Out(unsigned(config.bus_bits)),
            "load_weight": Out(1),
            "load_ifmap": Out(1),
            "target": Out(COORDINATE),
            "group": Out(COORDINATE),
            "mac": Out(1),
            "first": Out(1),
            "drain": Out(1),
            "fresh": Out(1),
            "ifmap_address": Out(address_bits(config.ifmap_words)),
            "weight_address": Out(address_bits(config.weight_words)),
            "psum_address": Out(address_bits(config.psum_words)),
        }
    )


def late(config: AcceleratorConfig) -> wiring.Signature:
    """The part of an instruction that acts two cycles later, when the product is ready."""
    return wiring.Signature(
        {
            "accumulate": Out(1),
            "first": Out(1),
            "drain": Out(1),
            "fresh": Out(1),
            "psum_address": Out(address_bits(config.psum_words)),
        }
    )
