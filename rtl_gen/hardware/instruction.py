"""The instruction: what flows down the rows of the array, one row a cycle.

Every PE of a row obeys the same instruction in the same cycle; the row below obeys it one cycle
later, just when the sum of the row above arrives. An instruction has three parts that act side by
side: a beat of weights, a beat of inputs, a multiply-accumulate.
"""

from amaranth import Value, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from amaranth.utils import bits_for

from rtl_gen.config import AcceleratorConfig

#: Bits of a coordinate in the array: a set, a tap, a group of lanes.
COORDINATE = 8


def address_bits(words: int) -> int:
    """Bits of an address into `words` words; never 0, so that every port exists."""
    return max(int(bits_for(words - 1)), 1)


def other_weights(config: AcceleratorConfig, pass_words: Value) -> Value | int:
    """Where the weights of every other pass begin in the scratchpads, two passes fitting in.

    Right behind the first's `pass_words`; in macros, in the other one: the highest bit tells.
    """
    return 1 << (address_bits(config.weight_words) - 1) if config.weight_macros else pass_words


def weight_part(config: AcceleratorConfig) -> dict[str, Out]:
    """A beat of weights (lane: row of the array).

    load_weight : it is to be written to `weight_write_address` by the rows of lane group
    `weight_group`, in the columns of set `weight_target`.
    """
    return {
        "load_weight": Out(1),
        "weight_data": Out(unsigned(config.bus_bits)),
        "weight_target": Out(COORDINATE),
        "weight_group": Out(COORDINATE),
        "weight_write_address": Out(address_bits(config.weight_words)),
    }


def ifmap_part(config: AcceleratorConfig) -> dict[str, Out]:
    """A beat of inputs (lane: ifmap row).

    load_ifmap : it is to be written to `ifmap_write_address` by the PEs whose tag lies in lane
    group `ifmap_group`, in the rows of set `ifmap_target`.
    """
    return {
        "load_ifmap": Out(1),
        "ifmap_data": Out(unsigned(config.bus_bits)),
        "ifmap_target": Out(COORDINATE),
        "ifmap_group": Out(COORDINATE),
        "ifmap_write_address": Out(address_bits(config.ifmap_words)),
    }


def mac_part(config: AcceleratorConfig) -> dict[str, Out]:
    """A multiply-accumulate.

    mac : multiply and accumulate the words at the two read addresses; first : into a sum that
    starts anew. drain : the old sum leaves down the column; fresh : it is the first of its output.
    """
    return {
        "mac": Out(1),
        "first": Out(1),
        "drain": Out(1),
        "fresh": Out(1),
        "ifmap_read_address": Out(address_bits(config.ifmap_words)),
        "weight_read_address": Out(address_bits(config.weight_words)),
        "psum_address": Out(address_bits(config.psum_words)),
    }


def instruction(config: AcceleratorConfig) -> wiring.Signature:
    """All three parts."""
    return wiring.Signature(weight_part(config) | ifmap_part(config) | mac_part(config))


def late(config: AcceleratorConfig) -> wiring.Signature:
    """The part of an instruction that acts later, when the product is ready."""
    return wiring.Signature(
        {
            "accumulate": Out(1),
            "first": Out(1),
            "drain": Out(1),
            "fresh": Out(1),
            "psum_address": Out(address_bits(config.psum_words)),
        }
    )
