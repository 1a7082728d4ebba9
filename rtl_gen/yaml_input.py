"""The one way YAML from users is read: safe, a mapping at the top, errors that name the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from rtl_gen.errors import UserError


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
    except yaml.YAMLError as error:
        raise UserError(f"{path} must be valid YAML: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise UserError(f"{path} must hold a mapping of names to values, not {content!r:.80}")
    return content


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
