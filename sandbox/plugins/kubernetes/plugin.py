"""The provider: any kind of object, by server-side apply, previewed by the API server itself."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sandbox.plugins.kubernetes import immutable, kubeconfig, readiness, shape
from sandbox.plugins.kubernetes.client import ApiError, Client, Resource, Unreachable
from sandbox.plugins.provider import (
    UNKNOWN,
    CheckFailure,
    CheckResult,
    DiffResult,
    PartialFailure,
    PluginError,
    Properties,
    Provider,
    has_unknown,
    reveal,
)

Json = dict[str, Any]
_AUTONAMED = "pulumi.com/autonamed"
_SKIP_AWAIT = "pulumi.com/skipAwait"
_TIMEOUT = "pulumi.com/timeoutSeconds"
_FORCE = "pulumi.com/patchForce"
_MANAGER = "__fieldManager"
_API_VERSION = "__initialApiVersion"
_DELETE = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Foreground"}
_SECONDS_TO_WAIT = 600.0
_POLL = (0.05, 1.0)  # seconds: first and longest pause between two looks


class KubernetesProvider(Provider):
    """Kubernetes objects as Pulumi resources."""

    name = "kubernetes"
    version = version("pulumi-kubernetes")

    def __init__(self) -> None:
        super().__init__()
        self._client: Client | None = None
        self._namespace: str | None = None
        self._force = os.environ.get("PULUMI_K8S_ENABLE_PATCH_FORCE") == "true"
        self._skip = False

    def configure(self, args: Properties) -> None:
        """Find the cluster; one that is not known yet is left for later."""
        settings = {k: _unpacked(v) for k, v in reveal(args).items()}
        self._skip = settings.get("skipUpdateUnreachable") is True
        given = settings.get("kubeconfig", os.environ.get("KUBECONFIG"))
        if given is UNKNOWN:
            return
        if not given:
            given = str(Path.home() / ".kube" / "config")
        if isinstance(given, dict):
            given = json.dumps(given)
        cluster = kubeconfig.load(given, settings.get("context"))
        self._namespace = settings.get("namespace") or cluster.namespace
        self._client = Client(cluster, self.cancelled)

    # Inputs.

    def check(
        self, *, type: str, urn: str, olds: Properties, news: Properties, random_seed: bytes  # noqa: ARG002
    ) -> CheckResult:  # fmt: skip
        """Complete kind, name and namespace."""
        inputs = dict(news)
        api_version, kind = _kind_of(type)
        inputs.setdefault("apiVersion", api_version)
        inputs.setdefault("kind", kind)
        metadata = inputs.get("metadata")
        if metadata is UNKNOWN:
            return CheckResult(inputs)
        if not isinstance(metadata, dict | None):
            return CheckResult(inputs, [CheckFailure("metadata", "must be an object")])
        metadata = dict(metadata or {})
        if not metadata.get("name") and not metadata.get("generateName"):
            metadata = _named(metadata, (olds.get("metadata") or {}), urn)
        if not metadata.get("namespace") and self._is_namespaced(inputs):
            metadata["namespace"] = self._namespace or "default"
        inputs["metadata"] = metadata
        return CheckResult(inputs)

    def _is_namespaced(self, inputs: Properties) -> bool:
        if self._client is None or has_unknown([inputs["apiVersion"], inputs["kind"]]):
            return False
        try:
            return self._client.resource(inputs["apiVersion"], inputs["kind"]).namespaced
        except PluginError:
            return False  # create says it better, with everything else known

    def diff(
        self, *, type: str, urn: str, id: str, old_inputs: Properties, old_outputs: Properties,  # noqa: ARG002
        new_inputs: Properties, ignore_changes: Sequence[str],
    ) -> DiffResult:  # fmt: skip
        """Compare inputs; what cannot change in place replaces."""
        old, new = reveal(old_inputs), reveal(new_inputs)
        api_version, kind = _strings(new, "apiVersion", "kind")
        detailed: dict[str, str] = {}
        replaces: list[str] = []
        for path, change in shape.differences(old, new):
            if any(path == i or path.startswith((f"{i}.", f"{i}[")) for i in ignore_changes):
                continue
            # Another version of the same kind is the same object.
            if path == "apiVersion" and _group(old) == _group(new):
                detailed[path] = change
                continue
            if path == "apiVersion" or immutable.replaces(api_version, kind, new, path):
                replaces.append(path)
                change = f"{change}-replace"  # noqa: PLW2901 (the same change, seen whole)
            detailed[path] = change
        metadata = new.get("metadata") or {}
        autonamed = (metadata.get("annotations") or {}).get(_AUTONAMED) == "true"
        same_place = (old.get("metadata") or {}).get("name") == metadata.get("name")
        return DiffResult(
            changes=bool(detailed),
            replaces=replaces,
            detailed=detailed,
            delete_before_replace=bool(replaces) and same_place and not autonamed,
        )

    # Objects.

    def create(
        self, *, type: str, urn: str, inputs: Properties, timeout: float, preview: bool
    ) -> tuple[str, Properties]:
        """Apply and wait. An object that is there already is taken over."""
        if preview:
            return "", self._previewed(type, urn, inputs)
        live, where = self._apply(type, urn, inputs)
        made = _id(live)
        return made, self._awaited(urn, inputs, live, where, timeout, made)

    def update(  # noqa: PLR0913
        self, *, type: str, urn: str, id: str, old_inputs: Properties, old_outputs: Properties,  # noqa: ARG002
        new_inputs: Properties, timeout: float, preview: bool, ignore_changes: Sequence[str],  # noqa: ARG002
    ) -> Properties:  # fmt: skip
        """Apply and wait; fields that are no longer asked for go."""
        if preview:
            return self._previewed(type, urn, new_inputs)
        live, where = self._apply(type, urn, new_inputs, manager=old_outputs.get(_MANAGER))
        return self._awaited(urn, new_inputs, live, where, timeout, id)

    def read(
        self, *, type: str, urn: str, id: str, inputs: Properties, outputs: Properties
    ) -> tuple[str, Properties, Properties] | None:
        """The object as it is; what somebody else changed of ours shows in the inputs."""
        client = self._known_client(urn)
        source = inputs or outputs
        api_version, kind = _kind_of(type)
        api_version = reveal(source.get("apiVersion")) or api_version
        kind = reveal(source.get("kind")) or kind
        namespace, _, name = id.rpartition("/")
        resource = client.resource(api_version, kind)
        if resource.namespaced and not namespace:
            namespace = self._namespace or "default"
        live = client.get(resource.path(namespace, name))
        if live is None:
            return None
        if not inputs:
            found = shape.imported(live)
            return id, found, self._outputs(urn, found, live)
        plain_outputs = reveal(outputs)
        now = shape.live_inputs(inputs, _shaped(plain_outputs, inputs), _shaped(live, inputs))
        return id, now, self._outputs(urn, now, live)

    def delete(
        self,
        *,
        type: str,
        urn: str,
        id: str,
        inputs: Properties,
        outputs: Properties,
        timeout: float,
    ) -> None:
        """Delete it, and wait until it is gone."""
        client = self._known_client(urn)
        plain = reveal(inputs) or reveal(outputs)
        try:
            resource = client.resource(*_strings(plain, "apiVersion", "kind"))
        except Unreachable:
            raise
        except PluginError:
            return  # its kind is gone from the cluster, and all objects with it
        namespace, _, name = id.rpartition("/")
        path = resource.path(namespace, name)
        if type.endswith("Patch"):
            self._release(client, path, plain, _manager(urn, outputs.get(_MANAGER)))
            return
        found = client.get(path)
        was = (reveal(outputs).get("metadata") or {}).get("uid")
        if found is None or (was and found["metadata"]["uid"] != was):
            return
        try:
            client.request("DELETE", path, _DELETE)
        except ApiError as error:
            if error.code != 404:
                raise _explained(urn, error) from None
        if not _skips_await(plain):
            self._await_gone(client, path, found, urn, _seconds(plain, timeout))

    # How each of them is done.

    def _known_client(self, urn: str) -> Client:
        if self._client is None:
            raise PluginError(f"{_name(urn)}: the provider's kubeconfig is not known")
        return self._client

    def _previewed(self, type: str, urn: str, inputs: Properties) -> Properties:
        """What the API server would make of it; what it would only say later is unknown."""
        unknown = {**inputs, "status": UNKNOWN}
        if self._client is None:
            # The cluster is made in the same update, or its kubeconfig is.
            return unknown
        if has_unknown(inputs):
            return unknown
        try:
            live, _ = self._apply(type, urn, inputs, dry_run=True)
        except ApiError as error:
            details = error.status.get("details") or {}
            # Its namespace may be made by the very update that is previewed.
            if error.code == 404 and details.get("kind") == "namespaces":
                return unknown
            raise
        except Unreachable:
            raise
        except PluginError as error:
            if "has no kind" in str(error):
                return unknown  # a definition may come in the same update
            raise
        outputs = self._outputs(urn, inputs, live)
        outputs["status"] = UNKNOWN
        metadata = dict(outputs["metadata"])
        for name in ("uid", "resourceVersion", "creationTimestamp", "generation"):
            metadata[name] = UNKNOWN
        outputs["metadata"] = metadata
        if live["kind"] == "Service":
            outputs["spec"] = {**outputs["spec"], "clusterIP": UNKNOWN, "clusterIPs": UNKNOWN}
        return outputs

    def _apply(
        self, type: str, urn: str, inputs: Properties, *,
        manager: Any = None, dry_run: bool = False,
    ) -> tuple[Json, Resource]:  # fmt: skip
        client = self._known_client(urn)
        body = {k: v for k, v in reveal(inputs).items() if k != "status" or "Patch" in type}
        resource = client.resource(body["apiVersion"], body["kind"])
        metadata = body.get("metadata") or {}
        annotations = metadata.get("annotations") or {}
        path = resource.path(metadata.get("namespace"), metadata.get("name", ""))
        try:
            if metadata.get("generateName") and not metadata.get("name"):
                query = {"dryRun": "All"} if dry_run else {}
                return client.request("POST", path, body, query=query), resource
            live = client.apply(
                path,
                body,
                manager=_manager(urn, manager),
                force=self._force or annotations.get(_FORCE) == "true",
                dry_run=dry_run,
            )
        except ApiError as error:
            raise _explained(urn, error) from None
        return live, resource

    def _release(self, client: Client, path: str, plain: Json, manager: str) -> None:
        """Let go of a patch's fields: apply nothing in their place."""
        metadata = plain.get("metadata") or {}
        nothing = {
            "apiVersion": plain["apiVersion"],
            "kind": plain["kind"],
            "metadata": {k: metadata[k] for k in ("name", "namespace") if k in metadata},
        }
        if client.get(path) is not None:
            client.apply(path, nothing, manager=manager, force=False)

    def _outputs(self, urn: str, inputs: Properties, live: Json) -> Properties:
        outputs = shape.sealed(live["kind"], inputs, live)
        outputs[_MANAGER] = _manager(urn, None)
        outputs[_API_VERSION] = live["apiVersion"]
        return outputs

    def _awaited(
        self, urn: str, inputs: Properties, live: Json, where: Resource, timeout: float, made: str
    ) -> Properties:  # fmt: skip
        """Wait until the object is ready: its outputs. Raises PartialFailure with the reasons."""
        client = self._known_client(urn)
        plain = reveal(inputs)
        check = readiness.CHECKS.get(f"{_group(live)}/{live['kind']}")
        if check is None or _skips_await(plain):
            return self._outputs(urn, inputs, live)
        namespace, _, name = made.rpartition("/")
        path = where.path(namespace, name)
        seconds = _seconds(plain, timeout)
        deadline, pause, said = time.monotonic() + seconds, _POLL[0], ""
        while True:
            pending = check(client, live)
            if pending is None:
                return self._outputs(urn, inputs, live)
            problem = readiness.hopeless(live)
            if self.cancelled.is_set():
                problem = "the wait was cancelled"
            elif time.monotonic() > deadline:
                problem = f"not ready after {seconds:.0f} s"
            if problem:
                reasons = [f"{_name(urn)}: {problem}: {pending}", *readiness.troubles(client, live)]
                raise PartialFailure(made, self._outputs(urn, inputs, live), reasons)
            if pending != said:
                said = pending
                self.log(urn, f"waiting: {pending}", status=True)
            self.cancelled.wait(pause)
            pause = min(_POLL[1], pause * 1.5)
            found = client.get(path)
            if found is None:
                raise PluginError(f"{_name(urn)}: somebody deleted it while it was awaited")
            live = found

    def _await_gone(self, client: Client, path: str, found: Json, urn: str, seconds: float) -> None:
        deadline, pause, uid = time.monotonic() + seconds, _POLL[0], found["metadata"]["uid"]
        while True:
            now = client.get(path)
            if now is None or now["metadata"]["uid"] != uid:
                return
            if self.cancelled.is_set() or time.monotonic() > deadline:
                finalizers = ", ".join(now["metadata"].get("finalizers") or []) or "none"
                reason = (
                    "cancelled" if self.cancelled.is_set() else f"not gone after {seconds:.0f} s"
                )
                raise PluginError(f"{_name(urn)}: {reason}; finalizers that hold it: {finalizers}")
            self.cancelled.wait(pause)
            pause = min(_POLL[1], pause * 1.5)


def _unpacked(value: Any) -> Any:
    """A provider's setting: the engine hands anything but text over as JSON."""
    if isinstance(value, str) and value in {"true", "false"}:
        return value == "true"
    return value


def _kind_of(token: str) -> tuple[str, str]:
    """`kubernetes:apps/v1:Deployment` → (apps/v1, Deployment); patches name their kind."""
    _, api_version, kind = token.split(":", 2)
    api_version = api_version.removeprefix("core/")
    if kind.endswith("Patch") and kind != "Patch":
        kind = kind.removesuffix("Patch")
    return api_version, kind


def _named(metadata: Json, old: Any, urn: str) -> Json:
    """The metadata with a name of our making: the old one, if we made that too."""
    old = old if isinstance(old, dict) else {}
    mark = {_AUTONAMED: "true"}
    annotations = {**(metadata.get("annotations") or {}), **mark}
    if (old.get("annotations") or {}).get(_AUTONAMED) == "true" and old.get("name"):
        return {**metadata, "name": old["name"], "annotations": annotations}
    name = f"{_name(urn).lower()[:54]}-{secrets.token_hex(4)}"
    return {**metadata, "name": name, "annotations": annotations}


def _strings(plain: Json, *names: str) -> tuple[str, ...]:
    return tuple(str(plain.get(name, "")) for name in names)


def _group(plain: Json) -> str:
    return str(plain.get("apiVersion", "")).rpartition("/")[0]


def _id(live: Json) -> str:
    namespace = live["metadata"].get("namespace")
    name = str(live["metadata"]["name"])
    return f"{namespace}/{name}" if namespace else name


def _name(urn: str) -> str:
    kind = urn.split("::")[2].rpartition(":")[2]
    return f"{kind} {urn.rpartition('::')[2]}"


def _manager(urn: str, known: Any) -> str:
    """The field manager of a resource: always the same for the same resource."""
    if isinstance(known, str) and known:
        return known
    return f"pulumi-kubernetes-{hashlib.sha256(urn.encode()).hexdigest()[:8]}"


def _skips_await(plain: Json) -> bool:
    annotations = (plain.get("metadata") or {}).get("annotations") or {}
    return str(annotations.get(_SKIP_AWAIT)).lower() == "true"


def _seconds(plain: Json, timeout: float) -> float:
    annotations = (plain.get("metadata") or {}).get("annotations") or {}
    if str(annotations.get(_TIMEOUT, "")).isdigit():
        return float(annotations[_TIMEOUT])
    return timeout or _SECONDS_TO_WAIT


def _shaped(document: Any, inputs: Any) -> Any:
    """The part of a document that has the inputs' keys."""
    plain = reveal(inputs)
    if isinstance(plain, dict) and isinstance(document, dict):
        return {k: _shaped(document[k], v) for k, v in plain.items() if k in document}
    if isinstance(plain, list) and isinstance(document, list) and len(plain) == len(document):
        return [_shaped(d, i) for d, i in zip(document, plain, strict=True)]
    return document


def _explained(urn: str, error: ApiError) -> ApiError:
    """The error with the resource's name, and for a conflict who owns what."""
    causes = (error.status.get("details") or {}).get("causes") or []
    message = str(error)
    if error.code == 409 and error.reason == "Conflict" and causes:
        owners = "; ".join(f"{c.get('field')}: {c.get('message')}" for c in causes)
        message = (
            f"other managers own fields that are set here ({owners}); refresh and leave them out, "
            f'or take them with the annotation {_FORCE}: "true"'
        )
    return ApiError(error.code, {**error.status, "message": f"{_name(urn)}: {message}"})
