"""What the placeholders of a recording stand for in a replay. Not a test.

A recorder gives several resources of one kind the same placeholder (`${subnetworkID}`). So a
placeholder stands for a row of names, one of which is meant now: a new one where the recording
finds none or makes another, the one whose answer fits where it reads one of several.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
_MADE_BY_CLIENT = re.compile(r"'(projects/[^']+)'")


class Binding:
    """The names that placeholders stand for, and the other way round."""

    def __init__(self, project: str, project_number: str, unique: str) -> None:
        self._fixed = {
            "projectId": project,
            "projectNumber": project_number,
            "uniqueId": unique,
            "kccVersion": "0.0.0",
        }
        self._unique = unique
        self._names: dict[str, list[str]] = {}
        self._made: dict[str, int] = {}
        self.learned: dict[str, str] = {}
        """Recorded → given, for names that the server made up."""

    def name(self, placeholder: str, value: str) -> None:
        """Let a placeholder stand for this from now on."""
        if placeholder not in self._fixed:
            row = self._names.setdefault(placeholder, [])
            if value in row:
                row.remove(value)
            row.append(value)

    def names(self, placeholder: str) -> tuple[str, ...]:
        """All that a placeholder may stand for; the last one is meant."""
        return tuple(self._names.get(placeholder, ()))

    def expect_absent(self, placeholder: str) -> None:
        """The recording finds nothing, or makes something: any earlier name is another's."""
        if placeholder in self._names:
            self._fresh(placeholder)

    def drop(self, placeholder: str) -> None:
        """What the name stood for was deleted."""
        if len(self._names.get(placeholder, ())) > 1:
            self._names[placeholder].pop()

    def _fresh(self, placeholder: str) -> str:
        self._made[placeholder] = self._made.get(placeholder, 0) + 1
        value = f"{placeholder.lower()}-{self._unique}-{self._made[placeholder]}"
        self.name(placeholder, value)
        return value

    def value(self, placeholder: str) -> str:
        """What a placeholder stands for now."""
        if placeholder in self._fixed:
            return self._fixed[placeholder]
        names = self._names.get(placeholder)
        return names[-1] if names else self._fresh(placeholder)

    def bind(self, text: str) -> str:
        """Put values for placeholders."""
        bound = _PLACEHOLDER.sub(lambda m: self.value(m[1]), text)
        for recorded, given in self.learned.items():
            bound = bound.replace(recorded, given)
        return bound

    def read_error(self, placeholder: str, message: str) -> None:
        """Read a name that the recorder replaced in URLs, but not in bodies, from an error."""
        found = _MADE_BY_CLIENT.search(message)
        if found:
            name = found[1].rpartition("/")[2]
            if name != f"${{{placeholder}}}" and "${" in name:
                self.name(placeholder, self.bind(name))

    def learn(self, recorded: Any, given: Any, sent: str, volatile: frozenset[str]) -> None:
        """Learn the names that the server made up: of resources, and of instance groups.

        `sent` is the request as recorded: what it names was made up by the client.
        """
        there = dict(leaves(given))
        for path, text in leaves(recorded):
            if not isinstance(text, str) or (path[-1:] and path[-1] in volatile):
                continue
            self._learn_name(text, there.get(path), sent)
        self._learn_groups(recorded, given)

    def _learn_name(self, text: str, given: Any, sent: str) -> None:
        wanted = [n for n in _PLACEHOLDER.findall(text) if n not in self._fixed]
        if not isinstance(given, str) or not wanted or "operationID" in wanted:
            return
        parts = _PLACEHOLDER.split(text)
        pattern = "".join(
            re.escape(part)
            if index % 2 == 0
            else f"({re.escape(self.value(part))})"
            if part in self._fixed
            else r"([^/]+)"
            for index, part in enumerate(parts)
        )
        found = re.fullmatch(pattern, given)
        if found:
            for placeholder, value in zip(parts[1::2], found.groups(), strict=True):
                if f"${{{placeholder}}}" not in sent:
                    self.name(placeholder, value)

    def _learn_groups(self, recorded: Any, given: Any) -> None:
        """Learn the names of instance groups: one a zone, in any order."""
        there = {}
        for path, text in leaves(given):
            if path[-2:-1] == ("instanceGroupUrls",):
                # By pool and zone; a cluster shows the groups of all its pools.
                there[(*path[:-1], text.rpartition("/")[0])] = text.rpartition("/")[2]
        for path, text in leaves(recorded):
            if path[-2:-1] != ("instanceGroupUrls",):
                continue
            folder, name = (self.bind(part) for part in text.rpartition("/")[::2])
            made = there.get((*path[:-1], folder))
            if made is None:
                continue
            # Instances and templates bear the group's name without its end; a template is made
            # anew by an update, with a hash of its own.
            for end in (r"", r"-grp$", r"-[0-9a-f]{8}-grp$"):
                self.learned.setdefault(re.sub(end, "", name), re.sub(end, "", made))


def leaves(document: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value with its path; empty objects and lists are values."""
    if isinstance(document, dict) and document:
        for key, value in document.items():
            yield from leaves(value, (*path, key))
    elif isinstance(document, list) and document:
        for index, value in enumerate(document):
            yield from leaves(value, (*path, str(index)))
    else:
        yield path, document
