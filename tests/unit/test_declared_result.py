"""What a program has declared is asked for while its other threads still declare."""

from __future__ import annotations

from declared import Declared

POOL = "gcp:container/nodePool:NodePool"


def test_resources_are_found_while_others_are_declared() -> None:
    declared = Declared({("Other", "one"): {}, (POOL, "general"): {"name": "general"}})

    class Meanwhile(str):
        """A type in whose comparison another thread declares a resource."""

        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            declared.inputs["Other", str(len(declared.inputs))] = {}
            return str(self) == other

    assert declared.of(Meanwhile(POOL)) == {"general": {"name": "general"}}
