"""Values written as YAML in this repository's manner: what is simple on one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from gkeplatform import yaml_files
from gkeplatform.errors import PlatformError

_WIDE = 1_000_000


class _Dumper(yaml.SafeDumper):
    """Writes text so that the engine reads it as text, and never an alias."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _represent(dumper: yaml.SafeDumper, data: str) -> yaml.ScalarNode:
    try:
        is_text = "\n" in data or yaml_files.parse(data, "value").value == data
    except PlatformError:
        is_text = True  # the dumper quotes what is not one value
    style = None if is_text else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _represent)


def dumped(value: Any, *, flow: bool | None = None) -> str:
    """`value` as YAML: what is simple on one line, unless `flow` says otherwise."""
    made = yaml.dump(
        value,
        Dumper=_Dumper,
        default_flow_style=flow,
        width=_WIDE,
        sort_keys=False,
        allow_unicode=True,
    )
    return str(made).removesuffix("\n...\n").rstrip("\n")


def is_simple(value: Any) -> bool:
    """Whether a value fits on one line."""
    if isinstance(value, dict | list):
        return not value or not any(isinstance(part, dict | list) for part in _parts(value))
    return True


def _parts(value: dict[str, Any] | list[Any]) -> Sequence[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def quoted(value: Any) -> str:
    """`value` on one line, with every text in double quotes."""
    made = yaml.dump(value, Dumper=_Dumper, default_style='"', width=_WIDE)
    return str(made).rstrip("\n")
