"""The command line of a model server: the preset's arguments combined with the entry's.

A flag is recognized by its name in any spelling: `--a_b=c`, `--a-b c`, `-a`.
"""

import re
from collections.abc import Iterator, Sequence
from math import prod

from infra.serving.models.presets import Preset

_FLAG = re.compile(r"^--?([A-Za-z][\w.+-]*)(?:=(.*))?$", re.DOTALL)
_FLAG_AND_VALUE = re.compile(r"^(--?[A-Za-z][\w.+-]*)\s+(.*)$", re.DOTALL)
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2212"
"""Hyphens and dashes by which text programs replace hyphens."""
USAGE = "enable-force-include-usage"
_EVERYWHERE = ("0.0.0.0", "::", "[::]", "")  # noqa: S104 - what servers are told, not ours
"""Addresses to listen on that are every one of the pod's."""


def flag(word: str) -> str | None:
    """The name of the flag that a word sets, with dashes; None if it is not a flag."""
    match = _FLAG.match(word)
    return match[1].replace("_", "-") if match else None


def check(server: str, preset: Preset, own: Sequence[str]) -> None:
    """`ValueError` for an argument that the platform sets, with the key to use instead."""
    for index, word in enumerate(own):
        _check_word(f"arguments[{index}]", word)
        name = flag(word)
        remedy = preset.reserved_flags.get(name) if name else None
        if remedy is not None:
            raise ValueError(f"arguments[{index}]: {word} is set by preset {server}; {remedy}")
    if preset.arguments and own and flag(own[0]) is None:
        raise ValueError(
            f'arguments[0]: "{own[0]}" is not a flag, and preset {server} has all positional '
            "arguments; the model's files are the key source"
        )


def _check_word(key: str, word: str) -> None:
    """`ValueError` for a word that no server reads as the flag that was meant."""
    if word[:1] and word[0] in _DASHES:
        raise ValueError(f'{key}: "{word}" begins with a dash; write two hyphens: --')
    if match := _FLAG_AND_VALUE.match(word):
        name, value = match[1], match[2].strip().strip("\"'")
        raise ValueError(
            f'{key}: "{word}" is one word to the server, for which it knows no flag; write '
            f'"{name}={value}", or two items: "{name}", "{value}"'
        )


def check_addresses(preset: Preset, own: Sequence[str]) -> None:
    """`ValueError` for a server that listens where neither probes nor callers reach it."""
    for index, name, value in _values(own):
        if name in preset.address_flags and value not in _EVERYWHERE:
            raise ValueError(
                f"arguments[{index}]: with {own[index]} the probes cannot reach the server; "
                "remove it: it listens on all addresses"
            )


def check_parallelism(preset: Preset, own: Sequence[str], *, accelerators: int, key: str) -> None:
    """`ValueError` for a server that needs more accelerators than its pods get.

    `key` is the entry's key for their number. A value that is no number is left to the server.
    """
    sizes = _sizes(preset, own)
    if (needed := prod(sizes.values())) > accelerators:
        raise ValueError(
            f"arguments: {' '.join(sizes)} needs {needed} accelerators in one pod, and {key} is "
            f"{accelerators}; set the same number"
        )


def loaded_models(preset: Preset, words: Sequence[str]) -> list[str]:
    """The names of the models that the server loads, as its command line has them.

    `*` is every model of the folder. Empty for a server that takes no names of models.
    """
    if preset.model_flag is None:
        return []
    named = [value for _, name, value in _values(words) if value and name == preset.model_flag]
    return named or ["*"]


def idle_accelerators(preset: Preset, own: Sequence[str], *, accelerators: int) -> int:
    """How many of a pod's accelerators the server leaves unused, as far as its arguments tell.

    0 where a file may tell more (`--config`).
    """
    if not preset.parallel_flags or "config" in {flag(word) for word in own}:
        return 0
    return max(0, accelerators - prod(_sizes(preset, own).values()))


def options(own: Sequence[str]) -> dict[str, str]:
    """The value of each flag, by its name; empty if it has none. The last of several wins."""
    return {name: value or "" for _, name, value in _values(own)}


def parallelism(preset: Preset, own: Sequence[str]) -> int:
    """The number of processes into which the arguments divide the server."""
    return max(1, prod(_sizes(preset, own).values()))


def told_usage(own: Sequence[str]) -> tuple[str, ...]:
    """The flag by which vLLM ends each stream with the tokens that were used, asked or not.

    vllm/entrypoints/openai/cli_args.py: `enable_force_include_usage`.
    """
    return () if USAGE in options(own) else (f"--{USAGE}",)


def _sizes(preset: Preset, own: Sequence[str]) -> dict[str, int]:
    """The numbers of the flags that are multiplied; a value that is no number is left out."""
    sizes = {}
    for _, name, value in _values(own):
        for aliases in preset.parallel_flags:
            if name in aliases and value is not None and value.isdecimal():
                sizes[f"--{aliases[0]}={value}"] = int(value)
    return sizes


def _values(own: Sequence[str]) -> Iterator[tuple[int, str, str | None]]:
    """The place, name and value of each flag, whether `--a=b` or `--a b`; None: it has no value."""
    for index, word in enumerate(own):
        match = _FLAG.match(word)
        if match is None:
            continue
        value = match[2]
        if value is None and index + 1 < len(own) and flag(own[index + 1]) is None:
            value = own[index + 1]
        yield index, match[1].replace("_", "-"), value


def check_environment(server: str, preset: Preset, own: Sequence[str]) -> None:
    """`ValueError` for a variable that the platform sets, with the key to use instead."""
    for name in own:
        # MLServer, the one preset with such variables, reads them in any case.
        if (remedy := preset.reserved_environment.get(name.upper())) is not None:
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
