"""Ways to spoil a Liberty or YAML file, seeded; and ways to rewrite one that change no meaning."""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

#: Numbers that a reader must refuse, or read as what they are.
ODD_NUMBERS = (
    *("nan", "-nan", "inf", "-inf", "1e999", "-1e999", "1e308", "-1", "-0.0", "0", "1e-320", "1_0"),
    *("0x10", "1,5", "1.5.2", "--3", "1e", "", "9" * 400, "\u0661", "1e400000000"),
)
#: Pieces that are dropped somewhere into a text.
JUNK = (
    *("{", "}", "(", ")", '"', ";", ":", ",", "\\", "/*", "*/", "//", "'", "\0", "\t", "\r\n"),
    *("\x85", "\ufeff", "\u2028", "\udc80", "\U0001f600", "((((", "))))", "}}}}", "{{{{"),
    *(
        "cell (A) {",
        "pin (A) {}",
        "include_file (x)",
        'function : "A"',
        "library (b) { }",
        "'''" * 9,
    ),
)
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?(?![\w.])")
_WORD = re.compile(r"[A-Za-z_]\w{2,}")
_FUNCTION = re.compile(r'(function|when|next_state|clocked_on|enable|data_in)\s*:\s*"[^"]*"')
_UNIT = re.compile(r"(?:\w+_unit)\s*(?::[^;\n]*|\([^)]*\))\s*;?")
_BRACE = re.compile(r"[{}]")
FUNCTIONS = (
    *("", "A &", "(A", "A)", "!!", "A B C D", "1", "0", "2", "A ^^ B", "A = B", "NOWHERE", "'"),
    *("!" * 5000 + "A", "(" * 5000 + "A" + ")" * 5000, "A" + "'" * 5000, "A" + "|B" * 5000),
)

Mutation = Callable[[str, random.Random], str]


def _replace_one(pattern: re.Pattern[str], text: str, rng: random.Random, new: str) -> str:
    found = list(pattern.finditer(text))
    if not found:
        return text
    match = rng.choice(found)
    return text[: match.start()] + new + text[match.end() :]


def cut(text: str, rng: random.Random) -> str:
    return text[: rng.randrange(len(text) + 1)]


def remove_span(text: str, rng: random.Random) -> str:
    start = rng.randrange(len(text) + 1)
    return text[:start] + text[start + rng.choice([1, 3, 30, 300]) :]


def double_span(text: str, rng: random.Random) -> str:
    start = rng.randrange(len(text) + 1)
    end = start + rng.choice([1, 3, 30, 300])
    return text[:end] + text[start:end] + text[end:]


def swap_lines(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]
    return "\n".join(lines)


def change_character(text: str, rng: random.Random) -> str:
    at = rng.randrange(max(len(text), 1))
    return text[:at] + chr(rng.choice([rng.randrange(128), rng.randrange(0x250)])) + text[at + 1 :]


def add_junk(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(JUNK) + text[at:]


def odd_number(text: str, rng: random.Random) -> str:
    return _replace_one(_NUMBER, text, rng, rng.choice(ODD_NUMBERS))


def remove_brace(text: str, rng: random.Random) -> str:
    return _replace_one(_BRACE, text, rng, "")


def remove_unit(text: str, rng: random.Random) -> str:
    return _replace_one(_UNIT, text, rng, "")


def rename(text: str, rng: random.Random) -> str:
    name = rng.choice(["A", "x" * 300, "cell", "pin", "\u00e9t\u00e9"])
    return _replace_one(_WORD, text, rng, name)


def other_word(text: str, rng: random.Random) -> str:
    words = _WORD.findall(text)
    return _replace_one(_WORD, text, rng, rng.choice(words)) if words else text


def odd_function(text: str, rng: random.Random) -> str:
    found = list(_FUNCTION.finditer(text))
    if not found:
        return text
    match = rng.choice(found)
    new = f'{match[1]} : "{rng.choice(FUNCTIONS)}"'
    return text[: match.start()] + new + text[match.end() :]


TEXT: tuple[Mutation, ...] = (
    *(cut, remove_span, double_span, swap_lines, change_character, add_junk, odd_number),
    *(remove_brace, remove_unit, rename, other_word, odd_function),
)


def mutated(text: str, rng: random.Random) -> tuple[str, bytes]:
    """A text spoilt in one to three ways: which, and its bytes, now and then no UTF-8."""
    chosen = rng.choices(TEXT, k=rng.choice([1, 1, 1, 2, 3]))
    for mutation in chosen:
        text = mutation(text, rng)
    data = bytearray(text.encode("utf-8", "surrogateescape" if rng.random() < 0.5 else "replace"))
    if data and rng.random() < 0.1:
        data[rng.randrange(len(data))] = rng.randrange(128, 256)
    return " + ".join(mutation.__name__ for mutation in chosen), bytes(data)


#: What takes the place of a value of YAML.
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 3, 2**31, 2**63, 2**64, 10**40, -(10**40), 1.5, -0.0, 1e308),
    *(float("nan"), float("inf"), float("-inf"), "", " ", "text", "../..", "/", "\0", "12", "nan"),
    *([], {}, [[]], [None], [1, 1], ["a", "b"], {"a": 1}, {1: 2}, {"from": 1, "to": 10**18}),
    *({"from": 1, "to": 10**18, "step": 1}, {"from": 1, "to": 2**70, "factor": 2}, [[[[1]]]], [{}]),
    *({"from": "a"}, {None: None}, "int8", "int99", "fp999", "lightpe0", {"activation": 3}, b"x"),
    *({"activation": "int8"}, {"activation": "int8", "weight": "int0"}, list(range(300))),
)


def _places(content: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of keys to everything below the top."""
    if isinstance(content, dict | list):
        for key in list(content) if isinstance(content, dict) else range(len(content)):
            yield (*here, key)
            yield from _places(content[key], (*here, key))


def mutated_content(content: Any, rng: random.Random) -> tuple[str, Any]:
    """Parsed YAML with one to three values taken out, doubled, renamed or replaced."""
    content, said = copy.deepcopy(content), []
    for _ in range(rng.choice([1, 1, 2, 3])):
        places = list(_places(content))
        if not places:
            break
        *outer, last = rng.choice(places)
        inner = content
        for key in outer:
            inner = inner[key]
        way = rng.choice(["replace", "replace", "replace", "remove", "rename", "nest"])
        said.append(f"{way} {(*outer, last)}")
        match way:
            case "remove":
                del inner[last]
            case "rename" if isinstance(inner, dict):
                name = rng.choice(["", "x", 3, None, f"{last} ", str(last).upper()])
                inner[name] = inner.pop(last)
            case "nest":
                inner[last] = rng.choice([[inner[last]], {"a": inner[last]}, [inner[last]] * 3])
            case _:
                inner[last] = copy.deepcopy(rng.choice(ODD_VALUES))
    return ", ".join(said), content


def respelled(text: str, rng: random.Random) -> str:
    """Liberty text with other white space and more comments, its meaning the same."""
    parts = re.split(r'("[^"]*"|/\*.*?\*/|//[^\n]*|\\\n)', text, flags=re.DOTALL)
    for number in range(0, len(parts), 2):  # outside of quotes and comments
        words = re.split(r"([{};])", parts[number])
        for place, word in enumerate(words):
            if word in ("{", "}", ";") and rng.random() < 0.3:
                words[place] = word + rng.choice(
                    ["  ", "\n", "\t", "\r\n", "\n\n", " /* x { */ ", " // y }\n", "\n/**/\n"]
                )
        parts[number] = "".join(words)
    return "".join(parts)
