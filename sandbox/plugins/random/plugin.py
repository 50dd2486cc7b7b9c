"""The random provider: a table of resource types. Changing any input generates a new value."""

from __future__ import annotations

import base64
import secrets
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from sandbox.plugins.provider import (
    UNKNOWN,
    CheckFailure,
    CheckResult,
    DiffResult,
    PluginError,
    Properties,
    Provider,
    Secret,
    has_unknown,
    reveal,
)
from sandbox.plugins.random import draw

_ROUNDS = 10  # bcrypt's cost in the official provider


@dataclass(frozen=True, slots=True)
class _Kind:
    """One resource type."""

    draw: Callable[[Properties], tuple[str, Properties]]
    """Plain inputs → (id, outputs beside the inputs). Raises ValueError."""
    outputs: tuple[str, ...]
    required: tuple[str, ...] = ()
    defaults: tuple[tuple[str, object], ...] = ()
    secret: tuple[str, ...] = ()
    restore: Callable[[str], tuple[Properties, Properties]] | None = None
    """An import's id → (inputs, outputs). Raises ValueError."""


def _id(inputs: Properties) -> tuple[str, Properties]:
    data = secrets.token_bytes(int(inputs["byteLength"]))
    return draw.url_encoding(data), draw.encodings(data, inputs.get("prefix") or "")


def _restore_id(text: str) -> tuple[Properties, Properties]:
    prefix, comma, encoded = text.rpartition(",")
    data = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    inputs: Properties = {"byteLength": len(data)} | ({"prefix": prefix} if comma else {})
    return inputs, draw.encodings(data, prefix)


def _string(inputs: Properties) -> tuple[str, Properties]:
    result = draw.password(inputs)
    return result, {"result": result}


def _password(inputs: Properties) -> tuple[str, Properties]:
    result = draw.password(inputs)
    # Not the password: ids are shown in plain text.
    return "none", {"result": result, "bcryptHash": _bcrypt(result)}


def _bcrypt(text: str) -> str:
    import bcrypt  # noqa: PLC0415 (only passwords need it)

    # bcrypt takes 72 bytes; the official provider's library truncates as well.
    return bcrypt.hashpw(text.encode()[:72], bcrypt.gensalt(_ROUNDS)).decode()


def _restore_string(text: str) -> tuple[Properties, Properties]:
    return {"length": len(text)}, {"result": text}


def _restore_password(text: str) -> tuple[Properties, Properties]:
    return {"length": len(text)}, {"result": text, "bcryptHash": _bcrypt(text)}


def _pet(inputs: Properties) -> tuple[str, Properties]:
    name = draw.pet(int(inputs["length"]), inputs.get("prefix"), inputs["separator"])
    return name, {}


def _integer(inputs: Properties) -> tuple[str, Properties]:
    low, high = int(inputs["min"]), int(inputs["max"])
    if low > high:
        raise ValueError(f"min {low} exceeds max {high}")
    result = draw.integer(low, high, inputs.get("seed"))
    return str(result), {"result": result}


def _restore_integer(text: str) -> tuple[Properties, Properties]:
    fields = text.split(",", 3)
    if len(fields) < 3:
        raise ValueError("must be <result>,<min>,<max> or <result>,<min>,<max>,<seed>")
    result, low, high = (int(field) for field in fields[:3])
    if not low <= result <= high:
        raise ValueError(f"{result} is not from {low} to {high}")
    inputs: Properties = {"min": low, "max": high}
    return inputs | ({"seed": fields[3]} if len(fields) > 3 else {}), {"result": result}


def _shuffle(inputs: Properties) -> tuple[str, Properties]:
    count = inputs.get("resultCount")
    results = draw.shuffled(
        list(inputs["inputs"]), None if count is None else int(count), inputs.get("seed")
    )
    return "-", {"results": results}


def _uuid(make: Callable[[], str]) -> Callable[[Properties], tuple[str, Properties]]:
    def drawn(inputs: Properties) -> tuple[str, Properties]:  # noqa: ARG001
        value = make()
        return value, {"result": value}

    return drawn


def _restore_uuid(text: str) -> tuple[Properties, Properties]:
    return {}, {"result": str(uuid.UUID(text))}


def _bytes(inputs: Properties) -> tuple[str, Properties]:
    data = secrets.token_bytes(int(inputs["length"]))
    return "none", {"base64": base64.b64encode(data).decode(), "hex": data.hex()}


def _restore_bytes(text: str) -> tuple[Properties, Properties]:
    data = base64.b64decode(text, validate=True)
    return {"length": len(data)}, {"base64": text, "hex": data.hex()}


_CHARACTERS: tuple[tuple[str, object], ...] = (
    ("lower", True), ("upper", True), ("numeric", True), ("number", True), ("special", True),
    ("minLower", 0), ("minUpper", 0), ("minNumeric", 0), ("minSpecial", 0),
)  # fmt: skip
_UUID = ("result",)
KINDS: dict[str, _Kind] = {
    "random:index/randomId:RandomId": _Kind(
        _id, ("b64Std", "b64Url", "dec", "hex"), ("byteLength",), restore=_restore_id
    ),
    "random:index/randomString:RandomString": _Kind(
        _string, ("result",), ("length",), _CHARACTERS, restore=_restore_string
    ),
    "random:index/randomPassword:RandomPassword": _Kind(
        _password, ("result", "bcryptHash"), ("length",), _CHARACTERS,
        ("result", "bcryptHash"), _restore_password,
    ),
    "random:index/randomPet:RandomPet": _Kind(
        _pet, (), defaults=(("length", 2), ("separator", "-"))
    ),
    "random:index/randomInteger:RandomInteger": _Kind(
        _integer, ("result",), ("min", "max"), restore=_restore_integer
    ),
    "random:index/randomShuffle:RandomShuffle": _Kind(_shuffle, ("results",), ("inputs",)),
    "random:index/randomUuid:RandomUuid": _Kind(
        _uuid(lambda: str(uuid.uuid4())), _UUID, restore=_restore_uuid
    ),
    "random:index/randomUuid4:RandomUuid4": _Kind(
        _uuid(lambda: str(uuid.uuid4())), _UUID, restore=_restore_uuid
    ),
    "random:index/randomUuid7:RandomUuid7": _Kind(_uuid(draw.uuid7), _UUID, restore=_restore_uuid),
    "random:index/randomBytes:RandomBytes": _Kind(
        _bytes, ("base64", "hex"), ("length",), secret=("base64", "hex"), restore=_restore_bytes
    ),
}  # fmt: skip


class RandomProvider(Provider):
    """Random values as Pulumi resources."""

    name = "random"
    version = version("pulumi-random")

    def check(
        self, *, type: str, urn: str, olds: Properties, news: Properties, random_seed: bytes  # noqa: ARG002
    ) -> CheckResult:  # fmt: skip
        """Set defaults; refuse missing inputs."""
        kind = _kind(type)
        inputs = {**dict(kind.defaults), **{k: v for k, v in news.items() if v is not None}}
        missing = [
            CheckFailure(name, "is required") for name in kind.required if name not in inputs
        ]
        return CheckResult(inputs, missing)

    def diff(
        self, *, type: str, urn: str, id: str, old_inputs: Properties, old_outputs: Properties,  # noqa: ARG002
        new_inputs: Properties, ignore_changes: Sequence[str],
    ) -> DiffResult:  # fmt: skip
        """Any change replaces the resource."""
        old, new = reveal(old_inputs), reveal(new_inputs)
        names = sorted(
            name for name in old.keys() | new.keys()
            if old.get(name) != new.get(name) and name not in ignore_changes
        )  # fmt: skip
        kinds = {
            name: "update" if name in old and name in new else "add" if name in new else "delete"
            for name in names
        }
        return DiffResult(
            changes=bool(names),
            replaces=names,
            detailed={name: f"{kind}-replace" for name, kind in kinds.items()},
        )

    def create(
        self, *, type: str, urn: str, inputs: Properties, timeout: float, preview: bool  # noqa: ARG002
    ) -> tuple[str, Properties]:  # fmt: skip
        """Generate the value, except in a preview."""
        kind = _kind(type)
        if preview or has_unknown(inputs):
            return "", {**inputs, **dict.fromkeys(kind.outputs, UNKNOWN)}
        try:
            made, outputs = kind.draw(reveal(inputs))
        except ValueError as error:
            raise PluginError(f"{urn.rpartition('::')[2]}: {error}") from None
        return made, {**inputs, **_sealed(kind, outputs)}

    def read(
        self, *, type: str, urn: str, id: str, inputs: Properties, outputs: Properties
    ) -> tuple[str, Properties, Properties] | None:
        """Return the state; an import reads the value from the id."""
        if outputs:
            return id, inputs, outputs
        kind = _kind(type)
        if kind.restore is None:
            raise PluginError(f"{urn.rpartition('::')[2]}: {type} cannot be imported")
        try:
            given, found = kind.restore(id)
        except ValueError as error:
            raise PluginError(f"{urn.rpartition('::')[2]}: the id {id!r}: {error}") from None
        complete = {**dict(kind.defaults), **given}
        made = "none" if kind.secret else id.rpartition(",")[2]
        if "Integer" in type:
            made = str(found["result"])
        return made, complete, {**complete, **_sealed(kind, found)}

    def update(  # noqa: PLR0913
        self, *, type: str, urn: str, id: str, old_inputs: Properties, old_outputs: Properties,  # noqa: ARG002
        new_inputs: Properties, timeout: float, preview: bool, ignore_changes: Sequence[str],  # noqa: ARG002
    ) -> Properties:  # fmt: skip
        """Return the state: the engine updates only for ignored changes."""
        return {**old_outputs, **new_inputs}

    def delete(
        self, *, type: str, urn: str, id: str, inputs: Properties, outputs: Properties,
        timeout: float,
    ) -> None:  # fmt: skip
        """Do nothing: the value exists only in the state."""


def _kind(token: str) -> _Kind:
    kind = KINDS.get(token)
    if kind is None:
        raise PluginError(f"{token}: this plugin does not have that resource")
    return kind


def _sealed(kind: _Kind, outputs: Properties) -> Properties:
    return {name: Secret(v) if name in kind.secret else v for name, v in outputs.items()}
