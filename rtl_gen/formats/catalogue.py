"""The arithmetics that have a name of their own, and those that are measured and compared.

Any other pair of formats is named freely: "int6xint3", "bf16xint8".
"""

from __future__ import annotations

#: The arithmetics that ship with characterized models.
ARITHMETICS = ("fp32", "int16", "int8", "lightpe1", "lightpe2")

#: Arithmetics named otherwise than by their formats -> (activation, weight).
ALIASES = {
    "lightpe1": ("int8", "pot1"),
    "lightpe2": ("int8", "pot2"),
    **{f"bitsparse{n}": ("int16", f"bitsparse{n}") for n in range(1, 5)},
}
#: Their names for people.
LABELS = {
    "lightpe1": "LightPE-1",
    "lightpe2": "LightPE-2",
    **{f"bitsparse{n}": f"BitSparse-{n}" for n in range(1, 5)},
}

#: What `quidam formats` compares, family by family.
CATALOGUE: dict[str, tuple[str, ...]] = {
    "integer": (
        *("int16", "int12", "int8", "uint8xint8", "int6", "int4", "int2"),
        *("int16xint8", "int8xint4", "int8xtern", "int8xbin", "bin"),
    ),
    "power of two": (
        *("lightpe1", "lightpe2", "int8xpot3", "int8xpot4", "int8xpot2e3"),
        *("int8xapot4", "int8xapot5", "bitsparse1", "bitsparse2", "bitsparse3", "bitsparse4"),
    ),
    "float": (
        *("fp32", "tf32", "bf16", "fp16", "fp16afp16", "fp8_e5m2", "fp8_e4m3", "fp8_e4m3afp16"),
        *("fp6_e3m2", "fp6_e2m3", "fp4_e2m1", "fp8_e4m3xfp4_e2m1", "bf16xint8", "bf16xint4"),
    ),
}
