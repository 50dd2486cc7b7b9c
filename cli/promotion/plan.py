"""What a promotion writes: the chosen differences, as edits of the target's files.

Nothing here changes a file on disk.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from cli.comparison import declaration
from cli.comparison.declaration import Declaration
from cli.comparison.differences import ABSENT, Difference, differences, shown
from cli.comparison.words import Words, between
from cli.errors import CliError, Exit, meant
from cli.promotion.files import Files
from cli.promotion.yaml_values import dumped
from gkeplatform import catalog_files, positions, stack_values
from gkeplatform.config import suggestion
from gkeplatform.errors import PlatformError

VERSIONS = re.compile(
    r"gke-serving:models\[[^\]]*\]\.(canary\.)?(image|source)"
    r"|gke-serving:models\[[^\]]*\]\.pod\.(init_)?containers"
)
"""Keys that say which image and which version of a model's files is served."""
_MODEL = re.compile(r"gke-serving:models\[([^\]]*)\]")


@dataclass(slots=True)
class Plan:
    """What is to be written, and what is not, with the reason."""

    source: str
    target: str
    files: Files
    """The target's files with the edits made."""
    chosen: list[Difference] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    """What is left as it is."""
    translated: list[str] = field(default_factory=list)
    """Values that are written with the target's own words."""


def plan(
    source: str,
    target: str,
    root: Path,
    *,
    only: Sequence[str] = (),
    models: bool = False,
) -> Plan:
    """The promotion of what differs, or of `only` these paths, or of the `models`' versions.

    Raises `PlatformError` where a file is wrong, and CliError for a path that names nothing.
    """
    first, second = declaration.read(source, root), declaration.read(target, root)
    found = differences(first, second)
    mine = Files.of(source, root)
    made = Plan(source, target, Files.of(target, root))
    words = between(first, second)
    for path in only:
        _check(path, found, first, second)
    for one in found:
        exact = [path for path in only if path in _names(one)]
        if only and not exact and not any(_is_below(one, path) for path in only):
            continue
        if models and not VERSIONS.fullmatch(one.key):
            _offer(made, one)
        elif one.must and not exact:
            continue
        elif reason := _reason_against(one, mine, named=bool(only), by_version=models):
            made.told.append(f"{one.key}: {reason}")
        else:
            literal = bool(exact) and one.must and one.target is not ABSENT
            _edit(made, one, mine, Words({}) if literal else words)
    return made


def _offer(made: Plan, one: Difference) -> None:
    if one.target is ABSENT and (model := _MODEL.fullmatch(one.key)):
        made.told.append(
            f"model {model[1]} is not in {made.target}: "
            f"./platformctl promote {made.source} {made.target} --only '{one.key}'"
        )


def _reason_against(one: Difference, mine: Files, *, named: bool, by_version: bool) -> str:
    """Why a difference is not promoted; empty where it is."""
    stated = mine.stated(one.path)
    if one.is_secret or declaration.has_encrypted(stated):
        return "a secret is encrypted with its environment's own key; it is not copied"
    if named:
        return ""
    if one.source is ABSENT:
        return f"only {'the target has it'}; it stays"
    if stated is ABSENT:
        return "the source has only the default; the target's value stays"
    if by_version and one.target is ABSENT:
        return "the target does not have it"
    return ""


def _edit(made: Plan, one: Difference, mine: Files, words: Words) -> None:
    files, stated = made.files, mine.stated(one.path)
    if stated is ABSENT:
        if files.stated(one.target_path) is not ABSENT:
            files.remove(one.target_path)
            made.chosen.append(one)
        return
    present = files.stated(one.target_path)
    if isinstance(present, str) and words.names_source(present):
        words = Words({})  # the target uses what is the source's
    value = words.translated(stated)
    if value == present:
        return
    text = mine.block(one.path)
    if text is not None and words.pairs:
        text = str(words.translated(text))
    if not _into_folder(made, one, mine, value, text):
        files.write(one.target_path, value, text)
    made.chosen.append(one)
    if value != stated:
        made.translated += [
            f"{one.key}: {before} becomes {after}" for before, after in _texts(stated, value)
        ]


def _texts(stated: Any, value: Any) -> list[tuple[str, str]]:
    """The texts that were translated."""
    if isinstance(stated, str):
        return [(stated, str(value))] if stated != value else []
    if isinstance(stated, dict):
        pairs = zip(stated.values(), value.values(), strict=True)
    elif isinstance(stated, list):
        pairs = zip(stated, value, strict=True)
    else:
        return []
    return [pair for before, after in pairs for pair in _texts(before, after)]


def _into_folder(made: Plan, one: Difference, mine: Files, value: Any, text: str | None) -> bool:
    """Write a new model that is in a folder of models into the target's folder, if it has one."""
    file, _ = mine.place(one.path)
    is_new = one.target is ABSENT and _MODEL.fullmatch(one.key)
    if not is_new or file == mine.file or not made.files.folder:
        return False
    inside = PurePosixPath(file).relative_to(PurePosixPath("stacks") / mine.folder)
    name = one.path[1][1:-1]
    for candidate in (inside, inside.with_name(f"{name}.yaml")):
        path = (PurePosixPath("stacks") / made.files.folder / candidate).as_posix()
        if path not in made.files.texts and not (made.files.root / path).exists():
            first = mine.texts[file].partition("\n")[0]
            head = f"{first}\n" if first.startswith("# yaml-language-server") else ""
            made.files.add_file(path, f"{head}{text if text is not None else dumped(value)}\n")
            return True
    raise CliError(
        f"stacks/{made.files.folder}: has a file {name}.yaml already", "rename it", Exit.USAGE
    )


def _names(one: Difference) -> tuple[str, ...]:
    """How `--only` may name a difference exactly: with its namespace, or without."""
    full = (one.key, shown(one.target_path))
    return (*full, *(name.partition(":")[2] for name in full))


def _is_below(one: Difference, path: str) -> bool:
    return any(name.startswith((f"{path}.", f"{path}[", f"{path}:")) for name in _names(one))


def _check(path: str, found: Sequence[Difference], first: Declaration, second: Declaration) -> None:
    """Raise CliError for a path that names nothing in either environment."""
    if any(path in _names(one) or _is_below(one, path) for one in found):
        return
    known = [*_paths((), dict(first.values)), *_paths((), dict(second.values))]
    named = {name for full in known for name in (full, full.partition(":")[2])}
    if path in named or path in {full.partition(":")[0] for full in known}:
        return
    raise CliError(
        f"--only {path}: neither environment has it",
        f"{meant(path, sorted(named))}`./platformctl diff {first.environment} "
        f"{second.environment}` lists what differs",
        Exit.USAGE,
    )


def _paths(path: tuple[str, ...], value: Any) -> list[str]:
    found = [shown(path)] if path else []
    if isinstance(value, dict):
        for key, part in value.items():
            found += _paths((*path, str(key)), part)
    elif isinstance(value, list | tuple):
        for part in value:
            if isinstance(part, dict) and isinstance(part.get("name"), str):
                found += _paths((*path, f"[{part['name']}]"), part)
    return found


def check(files: Files) -> Declaration:
    """The declaration that the edited files make. Raises `PlatformError` where it is refused.

    A pool that a model names is checked here: else the serving layer's program would be the first
    to miss it, with the cluster's contract.
    """
    with files.staged() as root:
        stack_values.read(files.environment, root=root)  # its size
        made = declaration.read(files.environment, root)
        pools = [pool["name"] for pool in made.values.get("gke-cluster:node_pools") or ()]
        for index, model in enumerate(made.values.get(catalog_files.MODELS) or ()):
            pool = model.get("node_pool")
            if pool is not None and pools and pool not in pools:
                message = (
                    f"{files.file}: {catalog_files.MODELS}[{index}].node_pool: there is no node "
                    f'pool "{pool}"; {suggestion(pool, pools)}'
                )
                environment = files.environment
                raise PlatformError(positions.located(message, root=root, environment=environment))
        return made
