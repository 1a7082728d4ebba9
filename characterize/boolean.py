"""Boolean expressions as Liberty writes them: `!A`, `A'`, `A&B`, `A*B`, `A B`, `A|B`, `A+B`, `A^B`.

From tight to loose: inversion, exclusive or, and, or. Source: Liberty user guide, "function".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Functions of real cells are 30 deep (ASAP7's AOI333).
MOST_DEPTH = 128
_TOKEN = re.compile(r'\s*([A-Za-z_][\w\[\].:]*|"[^"]*"|[01]|[!~\'()&*|+^])\s*')


@dataclass(frozen=True, slots=True)
class Expression:
    """One node of a Boolean expression.

    Parameters
    ----------
    operator : "pin", "constant", "not", "and", "or" or "xor".
    operands : the sub-expressions; none for a pin and a constant.
    name : the pin's name, or "0" or "1".
    """

    operator: str
    operands: tuple[Expression, ...] = ()
    name: str = ""


def parse(text: str) -> Expression:
    """The expression that `text` spells.

    Raises
    ------
    ValueError : a character or a token stands where the grammar has none.
    """
    tokens: list[str] = []
    position = 0
    text = text.strip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(
                f"a Boolean expression must hold pins and !'&*|+^() only, not {text!r}"
            )
        tokens.append(match[1].strip('"'))
        position = match.end()
    try:
        expression, rest = _either(tokens, 0)
        deep = _depth(expression)
    except RecursionError:
        deep = MOST_DEPTH + 1
    if deep > MOST_DEPTH:
        rule = f"a Boolean expression must nest {MOST_DEPTH} deep at most"
        raise ValueError(f"{rule}, not {text!r:.80}")
    if rest != len(tokens):
        raise ValueError(f"a Boolean expression must end after its last operand, not {text!r}")
    return expression


def _depth(expression: Expression) -> int:
    return 1 + max(map(_depth, expression.operands), default=0)


def _either(tokens: Sequence[str], at: int) -> tuple[Expression, int]:
    left, at = _both(tokens, at)
    while at < len(tokens) and tokens[at] in "|+":
        right, at = _both(tokens, at + 1)
        left = Expression("or", (left, right))
    return left, at


def _both(tokens: Sequence[str], at: int) -> tuple[Expression, int]:
    left, at = _odd(tokens, at)
    while at < len(tokens) and tokens[at] not in "|+)":
        right, at = _odd(tokens, at + 1 if tokens[at] in "&*" else at)  # a space means "and"
        left = Expression("and", (left, right))
    return left, at


def _odd(tokens: Sequence[str], at: int) -> tuple[Expression, int]:
    left, at = _atom(tokens, at)
    while at < len(tokens) and tokens[at] == "^":
        right, at = _atom(tokens, at + 1)
        left = Expression("xor", (left, right))
    return left, at


def _atom(tokens: Sequence[str], at: int) -> tuple[Expression, int]:
    if at == len(tokens):
        raise ValueError(f"a Boolean expression must have an operand after {' '.join(tokens)!r}")
    token = tokens[at]
    if token in "!~":
        inner, at = _atom(tokens, at + 1)
        return Expression("not", (inner,)), at
    if token == "(":
        result, at = _either(tokens, at + 1)
        if at == len(tokens) or tokens[at] != ")":
            raise ValueError(f"a Boolean expression must close every '(', not {' '.join(tokens)!r}")
    elif token in "&*|+^')":
        raise ValueError(f"a Boolean expression must not have {token!r} in {' '.join(tokens)!r}")
    else:
        result = Expression("constant" if token in "01" else "pin", name=token)
    at += 1
    while at < len(tokens) and tokens[at] == "'":
        result, at = Expression("not", (result,)), at + 1
    return result, at


def pins(expression: Expression) -> frozenset[str]:
    """The names of the pins that the expression reads."""
    if expression.operator == "pin":
        return frozenset((expression.name,))
    return frozenset().union(*(pins(operand) for operand in expression.operands))


def evaluate(expression: Expression, values: Mapping[str, Any]) -> Any:
    """The expression's value, elementwise, for Boolean values or arrays by pin name."""
    match expression.operator:
        case "pin":
            return values[expression.name]
        case "constant":
            return np.bool_(expression.name == "1")
        case "not":
            return np.logical_not(evaluate(expression.operands[0], values))
    left, right = (evaluate(operand, values) for operand in expression.operands)
    operation = {"and": np.logical_and, "or": np.logical_or, "xor": np.logical_xor}
    return operation[expression.operator](left, right)


def truth_table(expression: Expression, names: Sequence[str]) -> NDArray[np.bool_]:
    """The value in every state of `names`: (2**len(names),), bit i of the index is pin i."""
    states = np.arange(1 << len(names))
    values = {name: (states >> i & 1).astype(bool) for i, name in enumerate(names)}
    return np.broadcast_to(evaluate(expression, values), states.shape)
