"""The command line of a model server: the preset's arguments combined with the entry's.

A flag is recognized by its name in any spelling: `--a_b=c`, `--a-b c`, `-a`.
"""

import re
from collections.abc import Iterator, Sequence

from infra.serving.models.presets import Preset

_FLAG = re.compile(r"^--?([A-Za-z][\w.-]*)(?:=.*)?$", re.DOTALL)


def flag(word: str) -> str | None:
    """The name of the flag that a word sets, with dashes; None if it is not a flag."""
    match = _FLAG.match(word)
    return match[1].replace("_", "-") if match else None


def check(server: str, preset: Preset, own: Sequence[str]) -> None:
    """`ValueError` for an argument that the platform sets, with the key to use instead."""
    for index, word in enumerate(own):
        name = flag(word)
        remedy = preset.reserved_flags.get(name) if name else None
        if remedy is not None:
            raise ValueError(f"arguments[{index}]: {word} is set by preset {server}; {remedy}")
    if preset.arguments and own and flag(own[0]) is None:
        raise ValueError(
            f'arguments[0]: "{own[0]}" is not a flag, and preset {server} has all positional '
            "arguments; the model's files are the key source"
        )


def check_environment(server: str, preset: Preset, own: Sequence[str]) -> None:
    """`ValueError` for a variable that the platform sets, with the key to use instead."""
    for name in own:
        if (remedy := preset.reserved_environment.get(name)) is not None:
            raise ValueError(f"environment.{name}: it is set by preset {server}; {remedy}")


def combined(preset: Preset, own: Sequence[str]) -> tuple[str, ...]:
    """The preset's arguments without those that the entry replaces, then the entry's."""
    given = {name for word in own if (name := flag(word))}
    replaced = given - set(preset.repeatable_flags)
    for name in given:
        replaced |= set(preset.excluded_flags.get(name, ()))
    return (*_without(preset.arguments, replaced), *own)


def _without(arguments: Sequence[str], flags: set[str]) -> Iterator[str]:
    """Arguments of a preset, which write `--flag=value`, except these flags."""
    return (word for word in arguments if flag(word) not in flags)
