"""`Reads`: the properties that a rule reads, to find the one that a message is about.

A rule yields messages without paths. So a rule that has found something in a file runs once more,
on a copy of the resource that records what is read. The message is about the last property that was
read before it and that it mentions; if it mentions none, about the last one. Nothing is recorded
for resources without a file.
"""

from collections.abc import Iterator
from typing import Any

from policies.subjects import Path, Resource
from policies.values import known

_NAMES = frozenset({"name", "namespace", "kind", "metadata", "generateName"})
"""Read for most messages to say which object or container is meant."""
_Read = tuple[Any, str | int]
_SEPARATORS = frozenset(" .:;,()\"'")
"""What stands between the words of a message, besides white space."""


class Reads:
    """The reads of one resource by one rule."""

    def __init__(self, resource: Resource) -> None:
        self._log: list[_Read] = []
        self._start = 0
        props = _Mapping(resource.props)
        props.trace = (self._log, None, "")
        # `dataclasses.replace` takes longer than all that a rule does.
        self.resource = Resource(
            resource.type,
            props,
            resource.name,
            resource.urn,
            resource.provider,
            resource.protect,
            resource.origin,
            resource.file,
            resource.line,
            resource.lines,
        )

    def clear(self) -> None:
        """Forget the reads, before another rule."""
        self._log.clear()
        self._start = 0

    def about(self, message: str) -> Path:
        """Return the path of the property that the next message is about; empty without a read."""
        start, self._start = self._start, len(self._log)
        # A second message about one item reads no more than its name.
        found = _chosen(self._log, start, self._start, message)
        if found is None and start:
            found = _chosen(self._log, 0, start, message)
        if found is None and self._log:
            found = self._log[-1]
        return _path(*found) if found else ()


def _has_word(message: str, text: str) -> bool:
    """Whether a text is one of the words of a message."""
    # Few texts are found at all, and splitting the message takes longer than finding one.
    start = message.find(text)
    while start >= 0 and text:
        end = start + len(text)
        if (start == 0 or _separates(message[start - 1])) and (
            end == len(message) or _separates(message[end])
        ):
            return not any(map(_separates, text))
        start = message.find(text, start + 1)
    return False


def _separates(character: str) -> bool:
    return character in _SEPARATORS or character.isspace()


def _chosen(reads: list[_Read], start: int, end: int, message: str) -> _Read | None:
    last: _Read | None = None
    for index in range(end - 1, start - 1, -1):
        read = reads[index]
        holder, step = read
        if step in _NAMES:
            continue
        last = last or read
        if _mentioned(holder, step, message):
            return last if last is not read and _is_item_of(last[0], holder, step) else read
    return last


def _is_item_of(one: Any, holder: Any, step: str | int) -> bool:
    """Whether a mapping is within the list at a step of a holder, or is that list."""
    while one.trace[1] is not None:
        if one.trace[1] is holder and one.trace[2] == step:
            return isinstance(one, list)
        one = one.trace[1]
    return False


def _mentioned(holder: Any, step: str | int, message: str) -> bool:
    if isinstance(step, str):
        if "." in step:
            return step in message
        if _has_word(message, step):
            return True
    read: Any = list.__getitem__ if isinstance(holder, list) else dict.get
    value = read(holder, step)
    if isinstance(value, str):
        return _has_word(message, value) or (
            "=" in value and _has_word(message, value.partition("=")[0])
        )
    return type(value) is int and _has_word(message, str(value))


def _path(holder: Any, step: str | int) -> Path:
    path: list[str | int] = [step]
    while (above := holder.trace[1]) is not None:
        path.append(holder.trace[2])
        holder = above
    return tuple(reversed(path))


def _wrapped(holder: Any, step: str | int, value: Any) -> Any:
    """Return a value that is read; a mapping or list as one that records."""
    made: Any
    if isinstance(value, dict):
        made = _Mapping(value)
    elif isinstance(value, list):
        made = _List(list.__iter__(value))
    else:
        return known(value)
    made.trace = (holder.trace[0], holder, step)
    store: Any = dict.__setitem__ if isinstance(holder, dict) else list.__setitem__
    store(holder, step, made)
    return made


class _Mapping(dict[str, Any]):
    __slots__ = ("trace",)
    trace: tuple[list[Any], Any, str | int]

    def __getitem__(self, key: str) -> Any:
        self.trace[0].append((self, key))
        value = dict.__getitem__(self, key)
        return value if type(value) in _AS_THEY_ARE else _wrapped(self, key, value)

    def get(self, key: str, default: Any = None) -> Any:
        self.trace[0].append((self, key))
        value = dict.get(self, key, default)
        if type(value) in _AS_THEY_ARE or (value is default and not dict.__contains__(self, key)):
            return value
        return _wrapped(self, key, value)

    def __contains__(self, key: object) -> bool:
        self.trace[0].append((self, key))
        return super().__contains__(key)

    def __iter__(self) -> Iterator[str]:
        for key in list(self.keys()):
            self.trace[0].append((self, key))
            yield key

    def values(self) -> Iterator[Any]:  # type: ignore[override]  # read once, by a loop
        return (self[key] for key in list(self.keys()))

    def items(self) -> Iterator[tuple[str, Any]]:  # type: ignore[override]  # read once, by a loop
        return ((key, self[key]) for key in list(self.keys()))


class _List(list[Any]):
    __slots__ = ("trace",)
    trace: tuple[list[Any], Any, str | int]

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, int):
            return [self[one] for one in range(*index.indices(len(self)))]
        index = index if index >= 0 else index + len(self)
        found = list.__getitem__(self, index)
        self.trace[0].append((self, index))
        return found if type(found) in _AS_THEY_ARE else _wrapped(self, index, found)

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))


_AS_THEY_ARE = frozenset({str, int, float, bool, type(None), _Mapping, _List})
"""Types of values that are returned as they are: what has no parts, and what records already."""
