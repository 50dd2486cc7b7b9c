"""The provider that the engine calls: finds the type's handler and delegates to it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from sandbox.plugins.gcp import validation
from sandbox.plugins.gcp.config import Config
from sandbox.plugins.gcp.handler import Handler
from sandbox.plugins.gcp.registry import handler_of
from sandbox.plugins.provider import (
    CheckFailure,
    CheckResult,
    DiffResult,
    PluginError,
    Provider,
)
from sandbox.plugins.values import Properties, has_unknown, reveal

if TYPE_CHECKING:
    from sandbox.plugins.gcp.context import Context


class GcpProvider(Provider):
    """Google Cloud."""

    name = "gcp"

    def __init__(self) -> None:
        super().__init__()
        self.version = version("pulumi-gcp")
        self._client: Any = None
        self._config = Config()

    def configure(self, args: Properties) -> None:
        """Receive the provider's settings."""
        self._config = Config.of(args)
        self._client = None

    def cancel(self) -> None:
        """End every wait at once."""
        if self._client is not None:
            self._client.cancelled.set()

    def check(
        self,
        *,
        type: str,  # the interface's name
        urn: str,
        olds: Properties,
        news: Properties,
        random_seed: bytes,
    ) -> CheckResult:
        """Set names and defaults; validate what needs no request."""
        handler = _handler(type)
        inputs = {key: value for key, value in news.items() if value is not None}
        inputs.pop("__defaults", None)
        automatic = _automatic_name(handler, urn, olds, inputs, random_seed)
        if automatic:
            inputs["name"] = automatic
        inputs = validation.with_defaults(handler.fields, inputs)
        inputs["__defaults"] = ["name"] if automatic else []
        found = validation.failures(handler.spec, handler.fields, inputs)
        return CheckResult(inputs, [CheckFailure(name, reason) for name, reason in found])

    def diff(  # the interface's
        self,
        *,
        type: str,  # the interface's name
        urn: str,  # noqa: ARG002
        id: str,  # noqa: ARG002
        old_inputs: Properties,
        old_outputs: Properties,
        new_inputs: Properties,
        ignore_changes: Sequence[str],
    ) -> DiffResult:
        """The changes, and whether they replace the resource."""
        handler = _handler(type)
        context = self._context(0)
        changes = [
            one
            for one in handler.diff(context, old_inputs, old_outputs, new_inputs)
            if not any(_is_within(one.path, ignored) for ignored in ignore_changes)
        ]
        detailed, replaces = {}, []
        for one in changes:
            replaced = handler.replaces(one.plain, reveal(one.old), reveal(one.new))
            detailed[one.path] = f"{one.kind}-replace" if replaced else one.kind
            if replaced:
                replaces.append(one.path)
        return DiffResult(
            changes=bool(changes),
            replaces=replaces,
            detailed=detailed,
            delete_before_replace=bool(replaces) and _keeps_name(old_inputs, new_inputs),
        )

    def create(
        self,
        *,
        type: str,  # the interface's name
        urn: str,
        inputs: Properties,
        timeout: float,
        preview: bool,
    ) -> tuple[str, Properties]:
        """Create it, or preview its outputs."""
        handler, context = _handler(type), self._context(timeout)
        if preview:
            return "", _public(handler.planned(context, inputs))
        with _error_prefix(urn, "creating"):
            id_, outputs = handler.create(context, _public(inputs))
        return id_, outputs

    def read(
        self,
        *,
        type: str,  # the interface's name
        urn: str,
        id: str,
        inputs: Properties,
        outputs: Properties,
    ) -> tuple[str, Properties, Properties] | None:
        """The current state of the resource."""
        handler, context = _handler(type), self._context(0)
        with _error_prefix(urn, "reading"):
            found = handler.read(context, id, _public(inputs), outputs)
        if found is None:
            return None
        kept = {"__defaults": inputs["__defaults"]} if "__defaults" in inputs else {}
        return found[0], {**found[1], **kept}, found[2]

    def update(  # noqa: PLR0913  # the interface's
        self,
        *,
        type: str,  # the interface's name
        urn: str,
        id: str,
        old_inputs: Properties,
        old_outputs: Properties,
        new_inputs: Properties,
        timeout: float,
        preview: bool,
        ignore_changes: Sequence[str],  # noqa: ARG002  # the engine has put the old values back
    ) -> Properties:
        """Update it in place, or preview its outputs."""
        handler, context = _handler(type), self._context(timeout)
        if preview:
            return _public(handler.planned_update(context, old_outputs, _public(new_inputs)))
        with _error_prefix(urn, "updating"):
            return handler.update(
                context, id, _public(old_inputs), old_outputs, _public(new_inputs)
            )

    def delete(  # the interface's
        self,
        *,
        type: str,  # the interface's name
        urn: str,
        id: str,
        inputs: Properties,
        outputs: Properties,
        timeout: float,
    ) -> None:
        """Delete it."""
        with _error_prefix(urn, "deleting"):
            _handler(type).delete(self._context(timeout), id, _public(inputs), outputs)

    def invoke(self, *, token: str, args: Properties, preview: bool) -> Properties:
        """Call a data source."""
        from sandbox.plugins.gcp.functions import FUNCTIONS  # noqa: PLC0415  # few programs ask

        answer = FUNCTIONS.get(token)
        if answer is None:
            raise PluginError(f"{token}: this plugin does not have that function")
        if preview and has_unknown(args):
            raise PluginError(f"{token}: its arguments are not known yet")
        given = {key: value for key, value in reveal(args).items() if value is not None}
        with _error_prefix("", f"{token}:"):
            return answer(self._context(0), given)

    def _context(self, timeout: float) -> Context:
        from sandbox.plugins.gcp.client import Client  # noqa: PLC0415  # httpx is slow to import
        from sandbox.plugins.gcp.context import Context  # noqa: PLC0415

        if self._client is None:
            self._client = Client(self._config)
            self._client.cancelled = self.cancelled
        return Context(self._client, timeout)


class _error_prefix:  # noqa: N801  # used as a function
    """Context manager that prefixes errors with the step and the resource."""

    def __init__(self, urn: str, doing: str) -> None:
        self._prefix = f"{doing} {urn.rpartition('::')[2]}".strip()

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if type(error) is PluginError or type(error).__name__ in (
            "ApiFailure",
            "OperationFailure",
        ):
            text = " ".join(str(error).split())
            raise PluginError(f"{self._prefix}: {text}") from error


def _handler(token: str) -> Handler:
    handler = handler_of(token)
    if handler is None:
        raise PluginError(
            f"{token}: this plugin does not have that resource type "
            "(sandbox/plugins/gcp/README.md says how to add it)"
        )
    return handler


def _automatic_name(
    handler: Handler, urn: str, olds: Properties, inputs: Properties, seed: bytes
) -> str:
    """The name that the official provider would generate; kept once it is generated."""
    field = handler.fields.get("name")
    named = field is not None and field.is_input and not field.required
    if not named or inputs.get("name") is not None:
        return ""
    if "name" in (olds.get("__defaults") or ()) and isinstance(olds.get("name"), str):
        return str(olds["name"])
    logical = urn.rpartition("::")[2].lower()
    suffix = seed.hex()[:7] if len(seed) >= 4 else secrets.token_hex(4)[:7]
    return f"{logical}-{suffix}"


def _keeps_name(old: Properties, new: Properties) -> bool:
    """Whether the name is the program's and unchanged: two resources cannot have it at once."""
    if "name" in (new.get("__defaults") or ()):
        return False
    return new.get("name") is not None and reveal(old.get("name")) == reveal(new["name"])


def _is_within(path: str, ignored: str) -> bool:
    return path == ignored or path.startswith((f"{ignored}.", f"{ignored}["))


def _public(properties: Properties) -> Properties:
    """The properties without the plugin's own, such as `__defaults`."""
    return {key: value for key, value in properties.items() if not key.startswith("__")}
