"""The common part of the plugins: `pulumirpc.ResourceProvider` over a plain Python class.

A plugin subclasses `Provider` and calls `serve`. Secrets, unknowns, errors, cancellation and the
end of the process are handled here.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import any_pb2, empty_pb2

from sandbox.plugins.values import (
    UNKNOWN,
    Properties,
    Secret,
    decode,
    encode,
    has_secret,
    has_unknown,
    reveal,
)
from sandbox.protocol import modules, serve_until_the_engine_ends

provider_pb2, provider_pb2_grpc, plugin_pb2, engine_pb2, engine_pb2_grpc, status_pb2 = modules(
    "provider_pb2",
    "provider_pb2_grpc",
    "plugin_pb2",
    "engine_pb2",
    "engine_pb2_grpc",
    "status_pb2",
)

__all__ = [
    "UNKNOWN", "CheckFailure", "CheckResult", "DiffResult", "PartialFailure", "PluginError",
    "Properties", "Provider", "Secret", "has_secret", "has_unknown", "reveal", "serve",
]  # fmt: skip

_GRPC_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]
_SECONDS_TO_END = 3.0
_KINDS = {
    "add": 0, "add-replace": 1, "delete": 2, "delete-replace": 3, "update": 4, "update-replace": 5,
}  # fmt: skip


class PluginError(Exception):
    """An operation failed. The message is one line for the user: what, why and what to do."""


class PartialFailure(Exception):  # noqa: N818 (not a failure to do it, but to finish it)
    """The resource exists, but did not become ready. The next update continues from there."""

    def __init__(self, id: str, outputs: Properties, reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.id = id
        self.outputs = outputs
        self.reasons = list(reasons)


@dataclass(frozen=True, slots=True)
class CheckFailure:
    """An invalid property, and the reason."""

    property: str
    reason: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The inputs to store, and the errors in them."""

    inputs: Properties
    failures: Sequence[CheckFailure] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffResult:
    """What an update would change."""

    changes: bool
    replaces: Sequence[str] = ()
    """Property paths whose change replaces the resource."""
    detailed: dict[str, str] = field(default_factory=dict)
    """Property path → add, delete or update, with `-replace` where it replaces."""
    delete_before_replace: bool = False


class Provider:
    """One package's resources. Methods may be called from many threads at once."""

    name: str
    version: str

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self._log: Callable[[str, str, str, bool], None] = lambda *_: None

    def log(self, urn: str, message: str, severity: str = "info", *, status: bool = False) -> None:
        """Show a message at the resource; severity is debug, info, warning or error.

        With `status`, it is shown only during the operation.
        """
        self._log(urn, message, severity, status)

    def check_config(self, old: Properties, new: Properties) -> CheckResult:  # noqa: ARG002
        """Check the provider's own settings."""
        return CheckResult(new)

    def diff_config(self, old: Properties, new: Properties) -> DiffResult:
        """Compare the provider's own settings; a change never replaces resources."""
        return DiffResult(changes=reveal(old) != reveal(new))

    def configure(self, args: Properties) -> None:
        """Receive the provider's settings; called before any call on resources."""

    def check(
        self,
        *,
        type: str,
        urn: str,
        olds: Properties,
        news: Properties,
        random_seed: bytes,
    ) -> CheckResult:
        """Check and complete a resource's inputs."""
        raise NotImplementedError

    def diff(
        self, *, type: str, urn: str, id: str, old_inputs: Properties, old_outputs: Properties,
        new_inputs: Properties, ignore_changes: Sequence[str],
    ) -> DiffResult:  # fmt: skip
        """Compare the current resource with the wanted one."""
        raise NotImplementedError

    def create(
        self,
        *,
        type: str,
        urn: str,
        inputs: Properties,
        timeout: float,
        preview: bool,
    ) -> tuple[str, Properties]:
        """Create it; returns id and outputs. `timeout` is in seconds, 0 if none is set."""
        raise NotImplementedError

    def read(
        self,
        *,
        type: str,
        urn: str,
        id: str,
        inputs: Properties,
        outputs: Properties,
    ) -> tuple[str, Properties, Properties] | None:
        """Its current id, inputs and outputs; None if it does not exist.

        `inputs` and `outputs` are empty on an import.
        """
        raise NotImplementedError

    def update(  # noqa: PLR0913
        self, *, type: str, urn: str, id: str, old_inputs: Properties, old_outputs: Properties,
        new_inputs: Properties, timeout: float, preview: bool, ignore_changes: Sequence[str],
    ) -> Properties:  # fmt: skip
        """Update it in place; returns the new outputs."""
        raise NotImplementedError

    def delete(
        self, *, type: str, urn: str, id: str, inputs: Properties, outputs: Properties,
        timeout: float,
    ) -> None:  # fmt: skip
        """Delete it; no error if it does not exist."""
        raise NotImplementedError

    def invoke(self, *, token: str, args: Properties, preview: bool) -> Properties:  # noqa: ARG002
        """Call a function, such as a data source. Raises PluginError for an unknown one."""
        raise PluginError(f"{token}: this plugin does not have that function")

    def cancel(self) -> None:
        """End all waits. `self.cancelled` is set already."""

    def close(self) -> None:
        """Close connections; no call follows."""


class _Servicer(provider_pb2_grpc.ResourceProviderServicer):  # type: ignore[misc, name-defined]
    def __init__(self, provider: Provider, engine: str) -> None:
        self._provider = provider
        self._engine: Any = None
        provider._log = self._send_log
        if engine:
            self._connect(engine)

    # Handshake and life cycle.

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        self._connect(request.engine_address)
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    def Attach(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        self._connect(request.address)
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        return plugin_pb2.PluginInfo(version=self._provider.version)

    def GetSchema(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        schema = f'{{"name": "{self._provider.name}", "version": "{self._provider.version}"}}'
        return provider_pb2.GetSchemaResponse(schema=schema)

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        self._provider.cancelled.set()
        self._provider.cancel()
        return empty_pb2.Empty()

    # The provider's own settings.

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        def call() -> Any:
            result = self._provider.check_config(decode(request.olds), decode(request.news))
            return _check_response(result)

        return self._guarded(request.urn, context, call)

    def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        def call() -> Any:
            old = decode(request.old_inputs) or decode(request.olds)
            return _diff_response(self._provider.diff_config(old, decode(request.news)))

        return self._guarded(request.urn, context, call)

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        def call() -> Any:
            self._provider.configure(decode(request.args))
            return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

        return self._guarded("", context, call)

    # Resources.

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        def call() -> Any:
            result = self._provider.check(
                type=_type_of(request.urn),
                urn=request.urn,
                olds=decode(request.olds),
                news=decode(request.news),
                random_seed=request.randomSeed,
            )
            return _check_response(result)

        return self._guarded(request.urn, context, call)

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802
        def call() -> Any:
            result = self._provider.diff(
                type=_type_of(request.urn),
                urn=request.urn,
                id=request.id,
                old_inputs=decode(request.old_inputs),
                old_outputs=decode(request.olds),
                new_inputs=decode(request.news),
                ignore_changes=list(request.ignoreChanges),
            )
            return _diff_response(result)

        return self._guarded(request.urn, context, call)

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        def call() -> Any:
            made, outputs = self._provider.create(
                type=_type_of(request.urn),
                urn=request.urn,
                inputs=decode(request.properties),
                timeout=request.timeout,
                preview=request.preview,
            )
            # In a preview the id may be unknown, for which the engine expects an empty one.
            return provider_pb2.CreateResponse(id=made, properties=encode(outputs))

        return self._guarded(request.urn, context, call, lambda: decode(request.properties))

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        def call() -> Any:
            found = self._provider.read(
                type=_type_of(request.urn),
                urn=request.urn,
                id=request.id,
                inputs=decode(request.inputs),
                outputs=decode(request.properties),
            )
            if found is None:
                return provider_pb2.ReadResponse()
            return provider_pb2.ReadResponse(
                id=found[0], inputs=encode(found[1]), properties=encode(found[2])
            )

        return self._guarded(request.urn, context, call, lambda: decode(request.inputs))

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        def call() -> Any:
            outputs = self._provider.update(
                type=_type_of(request.urn),
                urn=request.urn,
                id=request.id,
                old_inputs=decode(request.old_inputs),
                old_outputs=decode(request.olds),
                new_inputs=decode(request.news),
                timeout=request.timeout,
                preview=request.preview,
                ignore_changes=list(request.ignoreChanges),
            )
            return provider_pb2.UpdateResponse(properties=encode(outputs))

        return self._guarded(request.urn, context, call, lambda: decode(request.news))

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        def call() -> Any:
            self._provider.delete(
                type=_type_of(request.urn),
                urn=request.urn,
                id=request.id,
                inputs=decode(request.old_inputs),
                outputs=decode(request.properties),
                timeout=request.timeout,
            )
            return empty_pb2.Empty()

        return self._guarded(request.urn, context, call)

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        def call() -> Any:
            answer = self._provider.invoke(
                token=request.tok, args=decode(request.args), preview=request.preview
            )
            response = provider_pb2.InvokeResponse()
            getattr(response, "return").CopyFrom(encode(answer))
            return response

        return self._guarded("", context, call)

    # Common to all calls.

    def _guarded(
        self,
        urn: str,
        context: Any,
        call: Callable[[], Any],
        inputs: Callable[[], Properties] | None = None,
    ) -> Any:
        try:
            return call()
        except PartialFailure as failure:
            self._abort_partial(context, failure, inputs() if inputs else {})
        except PluginError as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
        except NotImplementedError:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "this plugin does not implement that")
        except Exception as error:
            self.log_unexpected(urn)
            name = urn.split("::", 3)[-1] or self._provider.name
            reason = " ".join(str(error).split()) or "no reason given"
            text = f"{name}: unexpected {type(error).__name__} in the {self._provider.name} plugin"
            context.abort(grpc.StatusCode.INTERNAL, f"{text}: {reason}")

    def log_unexpected(self, urn: str) -> None:
        """Log the traceback at severity debug, which users do not see by default."""
        self._send_log(urn, traceback.format_exc(), "debug", False)

    @staticmethod
    def _abort_partial(context: Any, failure: PartialFailure, inputs: Properties) -> None:
        detail = any_pb2.Any()
        detail.Pack(
            provider_pb2.ErrorResourceInitFailed(
                id=failure.id,
                properties=encode(failure.outputs),
                reasons=failure.reasons,
                inputs=encode(inputs),
            )
        )
        code = grpc.StatusCode.UNKNOWN
        status = status_pb2.Status(code=code.value[0], message=str(failure), details=[detail])
        key = "grpc-status-details-bin"
        context.set_trailing_metadata(((key, status.SerializeToString()),))
        context.abort(code, str(failure))

    def _connect(self, address: str) -> None:
        self._engine = engine_pb2_grpc.EngineStub(
            grpc.insecure_channel(address, options=_GRPC_OPTIONS)
        )

    def _send_log(self, urn: str, message: str, severity: str, status: bool) -> None:
        if self._engine is None:
            return
        request = engine_pb2.LogRequest(
            severity=engine_pb2.LogSeverity.Value(severity.upper()),
            message=message,
            urn=urn,
            ephemeral=status,
        )
        # The engine may be shutting down; then the message is lost.
        with contextlib.suppress(grpc.RpcError):
            self._engine.Log(request, timeout=5)


def _type_of(urn: str) -> str:
    """`urn:pulumi:stack::project::parent$type::name` → type."""
    return urn.split("::")[2].rpartition("$")[2]


def _check_response(result: CheckResult) -> Any:
    failures = [
        provider_pb2.CheckFailure(property=failure.property, reason=failure.reason)
        for failure in result.failures
    ]
    return provider_pb2.CheckResponse(inputs=encode(result.inputs), failures=failures)


def _diff_response(result: DiffResult) -> Any:
    changes = provider_pb2.DiffResponse
    return changes(
        changes=changes.DIFF_SOME if result.changes else changes.DIFF_NONE,
        replaces=list(result.replaces),
        diffs=[path.partition(".")[0].partition("[")[0] for path in result.detailed],
        detailedDiff={
            path: provider_pb2.PropertyDiff(kind=_KINDS[kind], inputDiff=True)
            for path, kind in result.detailed.items()
        },
        hasDetailedDiff=bool(result.detailed),
        deleteBeforeReplace=result.delete_before_replace,
    )


def serve(provider: Provider) -> None:
    """Serve on a free port, printed on stdout, until the engine ends."""
    server = grpc.server(ThreadPoolExecutor(max_workers=64), options=_GRPC_OPTIONS)
    engine = sys.argv[1] if len(sys.argv) > 1 else ""
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(_Servicer(provider, engine), server)

    def start() -> int:
        port = int(server.add_insecure_port("127.0.0.1:0"))
        server.start()
        return port

    is_asked = serve_until_the_engine_ends(start)
    provider.cancelled.set()
    if is_asked:
        # Pending calls may still return within this time.
        server.stop(_SECONDS_TO_END).wait()
    os._exit(0)  # a worker may still be waiting
