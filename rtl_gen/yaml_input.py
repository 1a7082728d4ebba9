"""The one way YAML from users is read: safe, a mapping at the top, errors that name the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from rtl_gen.errors import UserError

#: Values in a file, and bits of an integer, at most: more is a slip, or malice.
MOST_VALUES = 200_000
MOST_BITS = 63


def load_mapping(path: Path | str) -> dict[str, Any]:
    """Read a YAML file whose top is a mapping with string keys.

    Raises
    ------
    UserError
        When the file can't be read, is not valid YAML, repeats a key, or holds something else.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} must be a readable YAML file: {error}") from error
    try:
        content = yaml.load(text, Loader=_UniqueKeys)  # noqa: S506 (a SafeLoader)
    except RecursionError as error:
        raise UserError(f"{path} must be valid YAML, not nested so deep") from error
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError) as error:
        # PyYAML lets through what Python says of `2026-99-99` and `!!int ''`.
        raise UserError(f"{path} must be valid YAML: {error}") from error
    _check_values(content, path)
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise UserError(f"{path} must hold a mapping of names to values, not {content!r:.80}")
    return content


def _check_values(content: Any, path: Path | str) -> None:
    """Refuse what would break its readers: aliases that stand for millions, endless integers.

    An alias counts as often as it is used; one inside of itself has no end.
    """
    left, count = [content], 0
    while left:
        value = left.pop()
        count += 1
        if count > MOST_VALUES:
            raise UserError(f"{path} must hold {MOST_VALUES} values at most, aliases resolved")
        if isinstance(value, dict):
            left += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple | set):
            left += value
        elif isinstance(value, int) and value.bit_length() > MOST_BITS:
            raise UserError(f"{path} must hold integers of {MOST_BITS} bits, not a longer one")


class _UniqueKeys(yaml.SafeLoader):
    """A SafeLoader that refuses a key given twice (plain YAML keeps the last one, silently)."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = str(key_node.value)
            if key in seen and key != "<<":
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)
