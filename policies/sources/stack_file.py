"""The line of an environment's files that declares a resource: the line to change."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from gkeplatform import catalog_files, stack_values, yaml_files
from gkeplatform.environment import file_of
from gkeplatform.errors import PlatformError


class Place(NamedTuple):
    """A line of a file, by the file's path below the repository's root."""

    file: str
    line: int


def places(environment: str, root: Path) -> Mapping[str, Place]:
    """The place of each named entry of the stack file and its catalog folder, by the name.

    A resource has the name of the entry that declares it: a model, a node pool, a team. Where two
    entries have one name, the first counts. A file that cannot be read has no places: the check of
    the configuration reports why.
    """
    found: dict[str, Place] = {}
    for name, place in _named(file_of(environment), root):
        found.setdefault(name, place)
    return found


def _named(file: str, root: Path) -> Iterator[tuple[str, Place]]:
    try:
        document = yaml_files.read(root / file, file)
        yield from ((name, Place(file, line)) for name, line in document.names())
        folder = stack_values.of_document(document.value, file).get(catalog_files.FOLDER)
        entries = catalog_files.read(folder, root=root, file=file) if folder else ()
    except PlatformError:
        return
    for entry in entries:
        if isinstance(name := entry.value.get("name"), str):
            yield name, Place(entry.file, entry.line)
