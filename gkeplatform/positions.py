"""Where a message's key is: the file, the line, and the name of the entry that it is about.

`gke-serving:models[27].exposure.kind: ...` is hard to find in a long file. Messages pass through
`located` at the edge, once, so that no check has to know about files.
"""

import re
from pathlib import Path
from typing import Any

from gkeplatform import catalog_files, stack_values, yaml_files
from gkeplatform.environment import file_of
from gkeplatform.errors import PlatformError

_KEY = re.compile(
    r"^(?:(?P<file>stacks/\S+?): )?(?P<key>[a-z][a-z-]*:[a-z_]+)"
    r"(?P<path>(?:\.[^\s:.\[\]]+|\[\d+\])*): (?P<rest>.*)$",
    re.DOTALL,
)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")


def located(message: str, *, root: Path, environment: str) -> str:
    """`message` with line and entry name before its key; unchanged where they are not known.

    `root` is the repository. The file is read again, which costs time only when a run is refused.
    """
    match = _KEY.match(message)
    file = file_of(environment)
    if match is None or match["file"] not in (None, file):
        return message
    key = match["key"]
    steps = [int(index) if index else name for name, index in _STEP.findall(match["path"])]
    try:
        document = yaml_files.read(root / file, file)
        if steps and not document.has("config", key, steps[0]):
            entry = _catalog_entry(document.value, key, steps[0], root=root, file=file)
            if entry is not None:
                return _in_catalog(entry, steps[1:], match["rest"], root)
    except PlatformError:
        return message
    line = document.line("config", key, *steps) if document.has("config", key) else 0
    place = f"{file}:{line}" if line else file
    return f"{place}: {_named(document.value, key, steps)}{key}{match['path']}: {match['rest']}"


def _named(document: Any, key: str, steps: list[str | int]) -> str:
    """`model "resnet": ` for a key below the entry of a list that has a name."""
    value, noun = document["config"].get(key), key.partition(":")[2]
    for step in steps:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return ""
        if isinstance(step, int):
            name = value.get("name") if isinstance(value, dict) else None
            return f'{_singular(noun)} "{name}": ' if isinstance(name, str) else ""
        noun = step
    return ""


def _singular(noun: str) -> str:
    for plural, singular in (("sses", "ss"), ("ies", "y"), ("s", "")):
        if noun.endswith(plural):
            return (noun.removesuffix(plural) + singular).replace("_", " ")
    return noun.replace("_", " ")


def _catalog_entry(
    document: Any, key: str, step: str | int, *, root: Path, file: str
) -> catalog_files.Entry | None:
    if key != catalog_files.MODELS or not isinstance(step, int):
        return None
    values = stack_values.of_document(document, file)
    if catalog_files.FOLDER not in values:
        return None
    entries = catalog_files.read(values[catalog_files.FOLDER], root=root, file=file)
    index = step - len(catalog_files.own_models(values))
    return entries[index] if 0 <= index < len(entries) else None


def _in_catalog(entry: catalog_files.Entry, steps: list[str | int], rest: str, root: Path) -> str:
    document = yaml_files.read(root / entry.file, entry.file)
    path = steps if entry.index is None else [entry.index, *steps]
    line = document.line(*path) or entry.line
    name = entry.value.get("name")
    model = f'model "{name}"' if isinstance(name, str) else "a model without a name"
    key = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return f"{entry.file}:{line}: {model}: {key.removeprefix('.')}{': ' if key else ''}{rest}"
