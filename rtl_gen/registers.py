"""The registers of an accelerator: where each stands, its bits, and what they mean.

One table for the hardware (`rtl_gen.hardware.control`), for the reference page and for drivers.
"""

from __future__ import annotations

from dataclasses import dataclass

from rtl_gen.config import AcceleratorConfig
from rtl_gen.descriptor import FIELDS, VERSION, limits

#: Of an address: the registers lie in a page of 4 KiB.
ADDRESS_BITS = 12
#: The first register reads so: "QDAM".
MAGIC = 0x5144414D
#: Layers that can wait behind the one that runs.
QUEUE_PLACES = 4

#: Kinds of access: what a write does.
READ = "read"
WRITE = "write"
KEEP = "read, write"
CLEAR = "read, write 1 to clear"

#: Where the descriptor's registers begin, and how many words are theirs.
DESCRIPTOR_OFFSET = 0x100
DESCRIPTOR_WORDS = 64
#: A field's register has this bit set if a bit too many was written to the field.
TOO_WIDE_BIT = 31
#: Register `ERROR`: 0 is none; 1 + i that word i of the descriptor is refused; and this:
QUEUE_FULL = 255

#: Counters of 64 bits -> what they count.
COUNTERS: dict[str, str] = {
    "LAYER_CYCLES": "cycles that the layer at work, or else the last one, has been busy",
    "CYCLES": "cycles busy, all layers",
    "WEIGHT_BEATS": "beats taken from s_axis_weights",
    "IFMAP_BEATS": "beats taken from s_axis_ifmaps",
    "OUTPUT_BEATS": "beats given to m_axis_outputs",
    "WEIGHT_STALLS": "cycles in which s_axis_weights was ready and not valid",
    "IFMAP_STALLS": "cycles in which s_axis_ifmaps was ready and not valid",
    "OUTPUT_STALLS": "cycles in which m_axis_outputs was valid and not ready",
}

#: What of the config can be read -> its attribute, in the order of the registers.
ECHO = (
    *("rows", "columns", "ifmap_words", "weight_words", "psum_words", "buffer_kib", "bus_bits"),
    *("activation_bits", "weight_bits", "accumulator_bits"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bits:
    """A part of a register: `width` bits from bit `low` on."""

    name: str
    low: int
    width: int
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """One word of 32 bits.

    Parameters
    ----------
    offset : byte address from the first register, a multiple of 4.
    access : READ, WRITE, KEEP or CLEAR; a write to a READ register is answered by SLVERR.
    parts : its bits, lowest first; all others read 0, and what is written to them is lost.
    """

    name: str
    offset: int
    access: str
    meaning: str
    parts: tuple[Bits, ...]

    @property
    def writable(self) -> bool:
        return self.access != READ


def _whole(name: str, offset: int, access: str, meaning: str, width: int = 32) -> Register:
    part = Bits(name="value", low=0, width=width, meaning=meaning)
    return Register(name=name, offset=offset, access=access, meaning=meaning, parts=(part,))


def _parts(name: str, offset: int, access: str, meaning: str, *parts: Bits) -> Register:
    return Register(name=name, offset=offset, access=access, meaning=meaning, parts=parts)


def _flag(name: str, low: int, meaning: str) -> Bits:
    return Bits(name=name, low=low, width=1, meaning=meaning)


def _identity() -> list[Register]:
    config_id = "first 32 bits of the config's id, `config_id` of manifest.json"
    return [
        _whole("ID", 0x00, READ, f"0x{MAGIC:08X}, 'QDAM'"),
        _whole("VERSION", 0x04, READ, "version of the descriptor that this hardware takes"),
        _whole("CONFIG_ID", 0x08, READ, config_id),
        *(
            _whole(name.upper(), 0x10 + 4 * number, READ, f"{name} of the config")
            for number, name in enumerate(ECHO)
        ),
    ]


def _control() -> list[Register]:
    done = _flag("done", 0, "a layer is done")
    refused = _flag("error", 1, "a descriptor was refused")
    return [
        _parts(
            *("CONTROL", 0x40, WRITE, "a 1 does it, a 0 nothing"),
            _flag("enqueue", 0, "check the descriptor and put it into the queue"),
            _flag("reset", 1, "abort the layer that runs and empty the queue; enqueue is ignored"),
            _flag("clear", 2, "all counters and LAYERS_DONE to 0"),
        ),
        _parts(
            *("STATUS", 0x44, READ, "what is at work"),
            _flag("busy", 0, "a layer runs or waits"),
            Bits(name="free", low=8, width=3, meaning="free places in the queue"),
        ),
        _parts(
            *("ERROR", 0x48, READ, "outcome of the last enqueue"),
            Bits(name="code", low=0, width=8, meaning="0: accepted; else see Errors"),
        ),
        _whole("LAYERS_DONE", 0x4C, READ, "layers that ran to their end"),
        _parts("INTERRUPT", 0x50, CLEAR, "what happened", done, refused),
        _parts("INTERRUPT_ENABLE", 0x54, KEEP, "what of it raises `irq`", done, refused),
    ]


def _counters() -> list[Register]:
    found = []
    for number, (name, meaning) in enumerate(COUNTERS.items()):
        offset = 0x80 + 8 * number
        found.append(_whole(name, offset, READ, f"{meaning}; bits 31 .. 0"))
        high = f"bits 63 .. 32 of {name}, as it was when its low bits were read"
        found.append(_whole(f"{name}_HIGH", offset + 4, READ, high))
    return found


def _descriptor() -> list[Register]:
    if len(FIELDS) >= VERSION_WORD:
        raise ValueError(f"FIELDS must be fewer than {VERSION_WORD}, not {len(FIELDS)!r}")
    words = [(name, bits, meaning) for name, (bits, meaning) in FIELDS.items()]
    numbered = list(enumerate(words))
    numbered.append((VERSION_WORD, ("version", 8, "version of the descriptor that was written")))
    too_wide = _flag("too_wide", TOO_WIDE_BIT, "a 1 was written beyond the field's bits")
    return [
        _parts(
            *(f"LAYER_{name.upper()}", DESCRIPTOR_OFFSET + 4 * number, KEEP, meaning),
            Bits(name="value", low=0, width=bits, meaning=meaning),
            too_wide,
        )
        for number, (name, bits, meaning) in numbered
    ]


#: The version comes last of the descriptor's words, wherever a later version's fields end.
VERSION_WORD = DESCRIPTOR_WORDS - 1

#: All registers by name, in the order of their addresses.
REGISTERS: dict[str, Register] = {
    register.name: register
    for register in (*_identity(), *_control(), *_counters(), *_descriptor())
}


def constants(config: AcceleratorConfig) -> dict[str, int]:
    """What the registers that never change read in an accelerator of this config."""
    return {
        "ID": MAGIC,
        "VERSION": VERSION,
        "CONFIG_ID": int(config.content_id[:8], 16),
        **{name.upper(): int(getattr(config, name)) for name in ECHO},
    }


def bounds(config: AcceleratorConfig) -> dict[int, tuple[int, int]]:
    """Smallest and largest value that the descriptor's words may have, by number, in the order
    in which they are checked: the version first, for it says what the others mean."""
    found = {VERSION_WORD: (VERSION, VERSION)}
    checked = limits(config)
    for number, (name, (bits, _)) in enumerate(FIELDS.items()):
        found[number] = checked.get(name, (0, 2**bits - 1))
    return found


def error_text(config: AcceleratorConfig, code: int) -> str:
    """What a code of register `ERROR` says, in words."""
    if code == 0:
        return "the descriptor was accepted"
    if code == QUEUE_FULL:
        return f"the queue must have a free place, it holds {QUEUE_PLACES} layers"
    number = code - 1
    if number not in bounds(config):
        raise ValueError(f"error code must be one of the hardware's, not {code!r}")
    low, high = bounds(config)[number]
    name = "version" if number == VERSION_WORD else list(FIELDS)[number]
    return f"descriptor field {name} must be from {low} to {high}"


def table(first: int, end: int) -> str:
    """The registers from one offset up to another, as docs/reference/registers.md shows them."""
    lines = ["| offset | register | bits | access | meaning |", "|---|---|---|---|---|"]
    for register in REGISTERS.values():
        if first <= register.offset < end:
            name, access, meaning = f"`{register.name}`", register.access, register.meaning
            shown = [part for part in register.parts if part.low != TOO_WIDE_BIT]
            if [part.name for part in shown] != ["value"]:
                meaning = "; ".join(f"{part.name}: {part.meaning}" for part in shown)
            bits = ", ".join(_span(part) for part in shown)
            lines.append(f"| 0x{register.offset:03X} | {name} | {bits} | {access} | {meaning} |")
    return "\n".join(lines)


def _span(part: Bits) -> str:
    return f"{part.low + part.width - 1}:{part.low}" if part.width > 1 else f"{part.low}"
