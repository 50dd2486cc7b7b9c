"""Structs that are frozen and keyword-only, subclasses included.

msgspec applies `kw_only` to the fields of one class only; the metaclass applies it to subclasses.
"""

from typing import Any, dataclass_transform

import msgspec


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class _FrozenMeta(msgspec.StructMeta):
    def __new__(
        mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any
    ) -> "_FrozenMeta":
        return super().__new__(
            mcls, name, bases, namespace, **{"frozen": True, "kw_only": True, **options}
        )


class Frozen(msgspec.Struct, metaclass=_FrozenMeta):
    """The base of configuration and of contracts."""
