"""The files of an environment as they were at an earlier deployment, as edits of the present ones.

They come from the deployment's commit; where it was made from files that are in no commit, the
configuration that the backend recorded is written into the present file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cli.comparison import declaration
from cli.comparison.differences import ABSENT, entry_name
from cli.comparison.differences import Path as Key
from cli.errors import CliError, Exit
from cli.history import repository
from cli.history.deployments import Deployment
from cli.promotion.files import Files
from gkeplatform import catalog_files, stack_values, yaml_files
from gkeplatform.errors import PlatformError


def aim(found: Sequence[Deployment], environment: str, number: int | None) -> Deployment:
    """The deployment to go back to: `number`, or the last one with another configuration."""
    if not found:
        raise CliError(
            f"{environment} has no deployment in this backend",
            'in a rehearsal, first: eval "$(./platformctl sandbox env)"',
            Exit.NO_STACK,
        )
    if number is not None:
        chosen = next((one for one in found if one.number == number), None)
        if chosen is None:
            raise CliError(
                f"{environment} has no deployment {number}",
                f"there are 1 to {len(found)}: ./platformctl history {environment}",
                Exit.USAGE,
            )
        if chosen.last.kind == "destroy":
            raise CliError(
                f"deployment {number} destroyed {environment}", "choose another", Exit.USAGE
            )
        return chosen
    present = _identity(found[-1])
    for one in reversed(found[:-1]):
        is_deployed = one.last.kind == "update" and one.result == "succeeded"
        if is_deployed and _identity(one) != present:
            return one
    raise CliError(
        f"{environment} has no earlier deployment with another configuration",
        f"./platformctl history {environment} lists them; --to N chooses one",
        Exit.USAGE,
    )


def _identity(one: Deployment) -> tuple[object, ...]:
    """What distinguishes a deployment's files; the commit counts where models have a folder."""
    has_folder = catalog_files.FOLDER in one.last.configuration
    return one.last.configuration, one.last.commit if has_folder else ""


def restored(environment: str, root: Path, to: Deployment) -> tuple[Files, list[str]]:
    """The environment's files as of a deployment, and what to say of it.

    Raises CliError where they cannot be known.
    """
    files = Files.of(environment, root)
    commit = to.last.commit
    if not to.last.is_dirty and repository.is_known(root, commit):
        text = repository.text(root, commit, files.file)
        if text is not None and _is_recorded(text, files.file, to):
            _take_commit(files, root, commit, text)
            return files, [f"the files are those of commit {commit[:12]}"]
    if catalog_files.FOLDER in to.last.configuration:
        raise CliError(
            f"deployment {to.number} was made from files that are in no commit known here; "
            "its folder of models is not recorded",
            "restore the files by hand, and run `./platformctl up " + environment + "`",
        )
    told = [
        "deployed from files that are in no commit known here: the configuration is the "
        "one that the backend recorded"
    ]
    return files, told + _take_recorded(files, to.last.configuration)


def _is_recorded(text: str, file: str, to: Deployment) -> bool:
    """Whether the text of a stack file is what the deployment was made from."""
    try:
        values = yaml_files.parse(text, file).value["config"]
    except (PlatformError, KeyError, TypeError):
        return False
    recorded = to.last.configuration
    return set(values) == set(recorded) and all(
        recorded[key] is None or _same(value, recorded[key]) for key, value in values.items()
    )


def _take_commit(files: Files, root: Path, commit: str, text: str) -> None:
    for file in [name for name in files.texts if name != files.file]:
        files.delete(file)
    files.texts[files.file] = text
    if folder := files.folder:
        for file in repository.files(root, commit, f"stacks/{folder}"):
            if file.endswith(catalog_files.SUFFIXES):
                files.add_file(file, repository.text(root, commit, file) or "")


def _take_recorded(files: Files, recorded: Mapping[str, Any]) -> list[str]:
    """Write a recorded configuration into the stack file; return what stays as it is."""
    document = yaml_files.parse(files.texts[files.file], files.file).value
    present, told = document["config"], []
    for key, value in recorded.items():
        if value is None or declaration.has_encrypted(present.get(key)):
            told.append(f"{key}: has a secret; it stays as it is")
        elif not _same(present.get(key, ABSENT), value):
            _set(files, (key,), present.get(key, ABSENT), _decoded(value))
    for key in present:
        if key not in recorded and not declaration.has_encrypted(present[key]):
            files.remove((key,))
    return told


def _set(files: Files, path: Key, present: Any, value: Any) -> None:
    """Write what differs at the deepest keys, so that comments stay."""
    if isinstance(present, dict) and isinstance(value, dict) and present and value:
        for key in value:
            if key not in present or present[key] != value[key]:
                _set(files, (*path, key), present.get(key, ABSENT), value[key])
        for key in present:
            if key not in value:
                files.remove((*path, key))
        return
    mine, theirs = _entries(present), _entries(value)
    if mine and theirs:
        for name, entry in theirs.items():
            if mine.get(name) != entry:
                _set(files, (*path, f"[{name}]"), mine.get(name, ABSENT), entry)
        for name in mine:
            if name not in theirs:
                files.remove((*path, f"[{name}]"))
        return
    files.write(path, value)


def _entries(value: Any) -> dict[str, Any]:
    """The entries of a list by name; empty where it is none, or they have no names."""
    if not isinstance(value, list):
        return {}
    found = {entry_name(entry): entry for entry in value}
    return found if len(found) == len(value) and "" not in found else {}


def _same(present: Any, recorded: Any) -> bool:
    """Whether a value of the file is the recorded one; of a scalar only the text is recorded."""
    if present is ABSENT:
        return False
    if isinstance(recorded, str) and not isinstance(present, dict | list):
        text = stack_values.of_document({"config": {"k": present}}, "")["k"]
        return text == recorded
    return bool(present == recorded)


def _decoded(recorded: Any) -> Any:
    """A recorded scalar as YAML has it: a number or a boolean is one."""
    if not isinstance(recorded, str):
        return recorded
    try:
        value = yaml_files.parse(recorded, "value").value
    except PlatformError:
        return recorded
    return value if isinstance(value, bool | int | float) else recorded


def lost(found: Sequence[Deployment], to: Deployment) -> list[str]:
    """What going back to a deployment cannot bring back."""
    counts = {
        one.number: one.changes.get("delete", 0) + one.changes.get("replace", 0)
        for one in found[to.number :]
    }
    if not any(counts.values()):
        return []
    which = ", ".join(str(number) for number, count in counts.items() if count)
    return [
        f"deployments since then (numbers {which}) deleted or replaced {sum(counts.values())} "
        "resources: data that was in them, as in a bucket, a database or a cluster, is not "
        "brought back"
    ]
