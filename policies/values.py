"""Typed access to a resource's properties.

Properties are plain dictionaries and lists. The readers treat an absent value and a null alike.
They raise `MalformedInputError` if a value has the wrong type, so that no rule passes on a value
that it cannot read. A value that is not known before the update is an `Unknown`; using it raises
`UnknownError`.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn, TypeVar

Props = dict[str, Any]
T = TypeVar("T")


class MalformedInputError(Exception):
    """A property does not have the type that its provider expects."""


class UnknownError(Exception):
    """A rule used a property whose value is not known before the update."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class NotApplicableError(Exception):
    """The resource's source cannot answer the rule's question. The message says why."""


class Unknown:
    """Placeholder for a value that is not known yet. Every use of it raises UnknownError."""

    __slots__ = ("path",)

    def __init__(self, path: str = "") -> None:
        self.path = path

    def _raise(self, *_: object) -> NoReturn:
        raise UnknownError(self.path)

    __bool__ = __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __hash__ = _raise
    __len__ = __iter__ = __contains__ = __getitem__ = __str__ = __format__ = __int__ = _raise
    __float__ = __add__ = __radd__ = __sub__ = __rsub__ = __call__ = _raise

    def __getattr__(self, name: str) -> NoReturn:
        raise UnknownError(self.path)

    def __repr__(self) -> str:
        return f"Unknown({self.path!r})"


class Secret(str):
    """A secret string: compares by value, prints as `[secret]`."""

    __slots__ = ()

    def __str__(self) -> str:
        return "[secret]"

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return "[secret]"


def comparable_text(value: Any) -> str:
    """Return a value as text for comparisons. Not for messages: a secret is returned in clear."""
    return str.__str__(value) if isinstance(value, Secret) else str(value)


def known(value: Any) -> Any:
    """Return the value. Raises UnknownError if it is unknown."""
    if type(value) is Unknown:
        raise UnknownError(value.path)
    return value


class PartlyUnknown(dict[str, Any]):
    """A mapping with `Unknown` values; reading one raises UnknownError."""

    def __getitem__(self, key: str) -> Any:
        return known(super().__getitem__(key))

    def get(self, key: str, default: Any = None) -> Any:
        """Like `dict.get`. Raises UnknownError for an unknown value."""
        return known(super().get(key, default))

    def values(self) -> Iterator[Any]:  # type: ignore[override]  # read once, by a loop
        """Like `dict.values`. Raises UnknownError at an unknown value."""
        return (known(value) for value in super().values())

    def items(self) -> Iterator[tuple[str, Any]]:  # type: ignore[override]  # read once, by a loop
        """Like `dict.items`. Raises UnknownError at an unknown value."""
        return ((key, known(value)) for key, value in super().items())


class PartlyUnknownList(list[Any]):
    """A list with `Unknown` entries; reading one raises UnknownError."""

    def __getitem__(self, index: Any) -> Any:
        return known(super().__getitem__(index))

    def __iter__(self) -> Iterator[Any]:
        return (known(value) for value in super().__iter__())


def with_paths(value: Any, path: str = "") -> Any:
    """Return a copy in which unknown values have their path and raise when read."""
    if isinstance(value, dict):
        entries = {k: with_paths(v, f"{path}.{k}" if path else str(k)) for k, v in value.items()}
        partly = any(type(entry) is Unknown for entry in entries.values())
        return PartlyUnknown(entries) if partly else entries
    if isinstance(value, list):
        items = [with_paths(v, f"{path}[{i}]") for i, v in enumerate(value)]
        return PartlyUnknownList(items) if any(type(i) is Unknown for i in items) else items
    return Unknown(path) if type(value) is Unknown else value


def has_unknown(value: Any) -> bool:
    """Whether any part of the value is unknown."""
    if isinstance(value, dict):
        return any(has_unknown(entry) for entry in dict.values(value))
    if isinstance(value, list):
        return any(has_unknown(entry) for entry in list.__iter__(value))
    return type(value) is Unknown


def block(props: Props, *keys: str) -> Props:
    """Return the mapping at the path `keys`; empty if absent."""
    # Hot path: the readers below run for every rule and resource. No loop for a single key.
    for key in keys:
        found = props.get(key)
        if type(found) is dict:
            props = found
        elif found is None:
            return {}
        elif isinstance(found, dict):
            props = found
        else:
            raise _malformed(keys[: keys.index(key) + 1], "a mapping", found)
    return props


def entries(props: Props, *keys: str) -> list[Props]:
    """Return the list of mappings at the path `keys`; empty if absent."""
    return _listed(props, keys, dict, "a list of mappings")


def texts(props: Props, *keys: str) -> list[str]:
    """Return the list of strings at the path `keys`; empty if absent."""
    return _listed(props, keys, str, "a list of strings")


def _listed(props: Props, keys: tuple[str, ...], kind: type[T], expected: str) -> list[T]:
    holder = props if len(keys) == 1 else block(props, *keys[:-1])
    found = holder.get(keys[-1])
    if found is None:
        return []
    if not isinstance(found, list):
        raise _malformed(keys, "a list", found)
    for entry in found:
        if not isinstance(entry, kind):
            raise _malformed(keys, expected, entry)
    return found


def text(props: Props, *keys: str) -> str:
    """Return the string at the path `keys`; empty if absent."""
    holder = props if len(keys) == 1 else block(props, *keys[:-1])
    found = holder.get(keys[-1])
    if found is None:
        return ""
    if isinstance(found, str):
        return found
    raise _malformed(keys, "a string", found)


def flag(props: Props, *keys: str, default: bool = False) -> bool:
    """Return the boolean at the path `keys`. `default` is the provider's own default."""
    holder = props if len(keys) == 1 else block(props, *keys[:-1])
    found = holder.get(keys[-1])
    if found is None:
        return default
    if isinstance(found, str) and found in {"true", "false"}:
        return found == "true"
    if not isinstance(found, bool):
        raise _malformed(keys, "true or false", found)
    return found


def number(props: Props, *keys: str) -> float | None:
    """Return the number at the path `keys`; None if absent."""
    holder = props if len(keys) == 1 else block(props, *keys[:-1])
    found = holder.get(keys[-1])
    if found is None or type(found) is int:
        return found
    if isinstance(found, str):
        try:
            found = float(found)
        except ValueError:
            raise _malformed(keys, "a number", found) from None
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise _malformed(keys, "a number", found)
    if isinstance(found, float) and not math.isfinite(found):
        raise _malformed(keys, "a finite number", found)
    return found


def _malformed(keys: Iterable[str], expected: str, found: object) -> MalformedInputError:
    shown = repr(found)
    shown = shown if len(shown) <= 40 else f"{shown[:37]}..."
    return MalformedInputError(f"{'.'.join(keys)} should be {expected}, not {shown}")
