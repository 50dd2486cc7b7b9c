"""What a container is started with: its words, its flags and its environment.

A flag is found by its name in any spelling: `--a_b=c`, `--a-b c`, `-a c`. The last one counts. Of a
shell's script (`sh -c "…"`) the words are read as the shell would split them; nothing is run.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from pathlib import PurePosixPath
from typing import Any

Json = Mapping[str, Any]
_FLAG = re.compile(r"^--?([A-Za-z][\w.+-]*)(?:=(.*))?$", re.DOTALL)
_VARIABLE = re.compile(r"\$\((\w+)\)")
_SHELL_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")
_SHELLS = frozenset({"sh", "bash", "ash", "dash"})
_INITS = frozenset({"tini", "dumb-init", "catatonit"})
_STARTERS = _SHELLS | _INITS | {"exec", "env", "nohup"}
_SEPARATORS = frozenset({"&&", "||", ";", "|", "&", "(", ")"})
_ASSIGNMENT = re.compile(r"^[A-Za-z_]\w*=")
_TRUE = frozenset({"", "1", "true", "on", "yes"})


class CommandLine:
    """The command line of a container, `command` and `args` of its manifest."""

    def __init__(self, container: Json, fields: Mapping[str, str] | None = None) -> None:
        """`fields` are the pod's own fields by path, as variables refer to them."""
        self.has_command = bool(container.get("command"))
        self.environment = _environment(container, fields or {})
        given = [*(container.get("command") or ()), *(container.get("args") or ())]
        words = [_VARIABLE.sub(self._variable, str(word)) for word in given]
        self.has_init = bool(words) and _program(words[0]) in _INITS
        self.words = tuple(self._unwrapped(words))

    @cached_property
    def programs(self) -> frozenset[str]:
        """The names of the programs that it starts, without their folders; of Python its module."""
        found = set()
        starts = True
        module = False
        for word in self.words:
            name = _program(word)
            if word in _SEPARATORS:
                starts, module = True, False
            elif word == "-m":
                module = starts
            elif module:
                found.add(name)
                starts = module = False
            elif not starts or word.startswith("-") or _ASSIGNMENT.match(word):
                continue
            elif name not in _STARTERS and not name.startswith("python"):
                found.add(name)
                starts = False
        return frozenset(found)

    def value(self, *names: str) -> str | None:
        """The value of a flag, spelled `a-b`; of several names the last given; None: not set."""
        found = None
        for name, value in self._flags:
            if name in names:
                found = value
        return found

    def values(self, name: str) -> list[str]:
        """All values of a flag, of `--a b c` both; several in a word are not split."""
        return [value for flag, value in self._all if flag == name]

    def number(self, *names: str, default: float) -> float:
        """The number that a flag has; `default` where it has none."""
        try:
            return float(self.value(*names) or "")
        except ValueError:
            return default

    def is_on(self, *names: str, default: bool = False) -> bool:
        """Whether a switch is on: `--a`, `--a=true`; off: `--a=false`, `--no-a`."""
        state = default
        for flag, value in self._flags:
            if flag in names:
                state = value.lower() in _TRUE or value.startswith("/")
            elif flag.removeprefix("no-") in names and flag.startswith("no-"):
                state = False
        return state

    def after(self, word: str) -> str | None:
        """The positional word that follows another, as the model in `vllm serve MODEL`."""
        for index, one in enumerate(self.words[:-1]):
            if _program(one) == word and not self.words[index + 1].startswith("-"):
                return self.words[index + 1]
        return None

    @cached_property
    def _flags(self) -> list[tuple[str, str]]:
        return list(_flags(self.words, every=False))

    @cached_property
    def _all(self) -> list[tuple[str, str]]:
        return list(_flags(self.words, every=True))

    def _variable(self, match: re.Match[str]) -> str:
        return self.environment.get(match[1], match[0])

    def _shell_variable(self, match: re.Match[str]) -> str:
        return self.environment.get(match[1] or match[2], "")

    def _unwrapped(self, words: list[str]) -> Iterator[str]:
        """The words without the shell that starts the program."""
        shell = next((i for i, word in enumerate(words) if _program(word) in _SHELLS), None)
        for index, word in enumerate(words):
            is_script = (
                shell is not None
                and index > shell + 1
                and words[index - 1].startswith("-")
                and words[index - 1].endswith("c")
            )
            if is_script:
                script = _SHELL_VARIABLE.sub(self._shell_variable, word)
                lexer = shlex.shlex(script, posix=True, punctuation_chars="();&|")
                lexer.whitespace_split = True
                try:
                    yield from list(lexer)
                except ValueError:
                    yield from script.split()
            else:
                yield word


def _program(word: str) -> str:
    return PurePosixPath(word).name


def _flags(words: tuple[str, ...], *, every: bool) -> Iterator[tuple[str, str]]:
    for index, word in enumerate(words):
        if (match := _FLAG.match(word)) is None:
            continue
        name = match[1].replace("_", "-")
        if match[2] is not None:
            yield name, match[2]
            continue
        following: list[str] = []
        for one in words[index + 1 :]:
            if _FLAG.match(one):
                break
            following.append(one)
        if not following or not every:
            yield name, following[0] if following else ""
        else:
            for one in following:
                yield name, one


def _environment(container: Json, fields: Mapping[str, str]) -> dict[str, str]:
    """The variables whose values the manifest has; Secrets and ConfigMaps are not read."""
    found: dict[str, str] = {}
    for one in container.get("env") or ():
        if "value" in one:
            found[one["name"]] = _VARIABLE.sub(partial(_known, dict(found)), str(one["value"]))
        else:
            path = ((one.get("valueFrom") or {}).get("fieldRef") or {}).get("fieldPath", "")
            if path in fields:
                found[one["name"]] = fields[path]
    return found


def _known(values: Mapping[str, str], match: re.Match[str]) -> str:
    """The value of a variable; what is not known stays as it is written."""
    return values.get(match[1], match[0])
