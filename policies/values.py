"""What rules read: a resource's properties, checked for shape and for being known at all.

Properties are plain dictionaries and lists. The readers here treat an absent value and a null
alike, and raise `OddInputError` where the shape is not what the provider takes, so that no rule
passes over a value that it did not understand. A value that is not known before the update is an
`Unknown`: whoever looks at it gets `UnknownError`, never a value to compare with.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

Props = dict[str, Any]


class OddInputError(Exception):
    """A property does not have the shape that its provider takes."""


class UnknownError(Exception):
    """A rule looked at a property whose value is not known before the update."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Unknown:
    """Stands where a value is not known yet. All that one could do with a value raises."""

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
    """Text that is secret: it compares as itself and is never printed."""

    __slots__ = ()

    def __str__(self) -> str:
        return "[secret]"

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return "[secret]"


def spelt(value: Any) -> str:
    """A value as text to compare with others: a secret as what it is, and never for a message."""
    return str.__str__(value) if isinstance(value, Secret) else str(value)


def known(value: Any) -> Any:
    """The value itself, or `UnknownError`."""
    if type(value) is Unknown:
        raise UnknownError(value.path)
    return value


class PartlyUnknown(dict[str, Any]):
    """A mapping that has an `Unknown` among its values; to look at that one raises."""

    def __getitem__(self, key: str) -> Any:
        return known(super().__getitem__(key))

    def get(self, key: str, default: Any = None) -> Any:
        """As `dict.get`, for known values."""
        return known(super().get(key, default))

    def values(self) -> Iterator[Any]:  # type: ignore[override]  # read once, by a loop
        """As `dict.values`, for known values."""
        return (known(value) for value in super().values())

    def items(self) -> Iterator[tuple[str, Any]]:  # type: ignore[override]  # read once, by a loop
        """As `dict.items`, for known values."""
        return ((key, known(value)) for key, value in super().items())


class PartlyUnknownList(list[Any]):
    """A list that has an `Unknown` among its entries; to look at that one raises."""

    def __getitem__(self, index: Any) -> Any:
        return known(super().__getitem__(index))

    def __iter__(self) -> Iterator[Any]:
        return (known(value) for value in super().__iter__())


def located(value: Any, path: str = "") -> Any:
    """A copy of `value` whose unknown parts know their path and are guarded by their holders."""
    if isinstance(value, dict):
        entries = {k: located(v, f"{path}.{k}" if path else str(k)) for k, v in value.items()}
        partly = any(type(entry) is Unknown for entry in entries.values())
        return PartlyUnknown(entries) if partly else entries
    if isinstance(value, list):
        items = [located(v, f"{path}[{i}]") for i, v in enumerate(value)]
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
    """The mapping at the end of `keys`, empty where there is none."""
    # The readers below are called for every rule and resource: few steps, and no loop for one key.
    for key in keys:
        found = props.get(key)
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise _odd(keys[: keys.index(key) + 1], "a mapping", found)
        props = found
    return props


def entries(props: Props, *keys: str) -> list[Props]:
    """The list of mappings at the end of `keys`, empty where there is none."""
    holder = props if len(keys) == 1 else block(props, *keys[:-1])
    found = holder.get(keys[-1])
    if found is None:
        return []
    if not isinstance(found, list):
        raise _odd(keys, "a list", found)
    for entry in found:
        if not isinstance(entry, dict):
            raise _odd(keys, "a list of mappings", entry)
    return found


def texts(props: Props, *keys: str) -> list[str]:
    """The list of texts at the end of `keys`, empty where there is none."""
    holder = props if len(keys) == 1 else block(props, *keys[:-1])
    found = holder.get(keys[-1])
    if found is None:
        return []
    if not isinstance(found, list):
        raise _odd(keys, "a list", found)
    for entry in found:
        if not isinstance(entry, str):
            raise _odd(keys, "a list of texts", entry)
    return found


def text(props: Props, *keys: str) -> str:
    """The text at the end of `keys`, empty where there is none."""
    holder = props if len(keys) == 1 else block(props, *keys[:-1])
    found = holder.get(keys[-1])
    if isinstance(found, str):
        return found
    if found is None:
        return ""
    raise _odd(keys, "text", found)


def flag(props: Props, *keys: str, default: bool = False) -> bool:
    """The truth value at the end of `keys`; `default` is what the provider takes where unset."""
    holder = props if len(keys) == 1 else block(props, *keys[:-1])
    found = holder.get(keys[-1])
    if found is None:
        return default
    if isinstance(found, str) and found in {"true", "false"}:
        return found == "true"
    if not isinstance(found, bool):
        raise _odd(keys, "true or false", found)
    return found


def number(props: Props, *keys: str) -> float | None:
    """The number at the end of `keys`, None where there is none."""
    holder = props if len(keys) == 1 else block(props, *keys[:-1])
    found = holder.get(keys[-1])
    if found is None:
        return None
    if isinstance(found, str):
        try:
            found = float(found)
        except ValueError:
            raise _odd(keys, "a number", found) from None
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise _odd(keys, "a number", found)
    if isinstance(found, float) and not math.isfinite(found):
        raise _odd(keys, "a finite number", found)
    return found


def _odd(keys: Iterable[str], expected: str, found: object) -> OddInputError:
    shown = repr(found)
    shown = shown if len(shown) <= 40 else f"{shown[:37]}..."
    return OddInputError(f"{'.'.join(keys)} should be {expected}, not {shown}")
