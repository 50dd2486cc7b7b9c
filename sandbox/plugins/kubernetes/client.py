"""The API server's verbs: discovery, server-side apply, and errors in a line."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from sandbox.plugins.kubernetes.kubeconfig import Cluster
from sandbox.plugins.kubernetes.retries import Retries
from sandbox.plugins.kubernetes.transport import Answer, NoAnswer, Transport
from sandbox.plugins.provider import PluginError

Json = dict[str, Any]
_SECONDS_OF_SILENCE = 10
_TRANSIENT = frozenset({429, 500, 502, 503, 504})
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
APPLY = "application/apply-patch+yaml"  # JSON is YAML, too


class ApiError(PluginError):
    """The API server refused. `code` is the HTTP status, `reason` Kubernetes' own."""

    def __init__(self, code: int, status: Mapping[str, Any], retry_after: float = 0.0) -> None:
        self.code = code
        self.reason = str(status.get("reason", ""))
        self.status = status
        self.retry_after = retry_after
        message = " ".join(str(status.get("message") or f"HTTP status {code}").split())
        super().__init__(message)

    @property
    def is_transient(self) -> bool:
        """Whether the request is worth retrying."""
        # The server reports an object that does not match its schema as an internal error.
        is_misfit = self.code == 500 and "typed patch object" in str(self)
        return self.code in _TRANSIENT and not is_misfit

    @property
    def details(self) -> Json:
        """The details of the error: kind, name and causes, where the server gives them."""
        return self.status.get("details") or {}


class NoSuchKindError(PluginError):
    """The cluster does not know the kind, or not yet."""


class Unreachable(PluginError):  # noqa: N818 (a state of the cluster, caught by name)
    """No API server answers."""

    def __init__(self, message: str, *, refused: bool) -> None:
        super().__init__(message)
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Resource:
    """The resource of a kind, such as `deployments`, and whether it is namespaced."""

    base: str
    """`/api/v1` or `/apis/<group>/<version>`."""
    plural: str
    namespaced: bool

    def path(self, namespace: str | None, name: str = "") -> str:
        """The path of an object, or of the collection."""
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{self.base}{scope}/{self.plural}" + (f"/{name}" if name else "")


class Client:
    """One API server, for any number of threads."""

    def __init__(self, cluster: Cluster, cancelled: threading.Event) -> None:
        self.cluster = cluster
        self._cancelled = cancelled
        self._transport = Transport(cluster)
        self._groups: dict[str, dict[str, Resource]] = {}
        self._lock = threading.Lock()
        self._silent_until = 0.0

    def resource(self, api_version: str, kind: str) -> Resource:
        """The resource of a kind. Raises NoSuchKindError if the cluster does not have it."""
        base = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        with self._lock:
            found = self._groups.get(base, {}).get(kind)
            if found is None:
                # Read again for an unknown kind: its definition may be new.
                self._groups[base] = self._discover(base)
                found = self._groups[base].get(kind)
        if found is None:
            raise NoSuchKindError(
                f"the cluster has no kind {kind} in {api_version}: is its definition installed, "
                "or was the version removed from this Kubernetes?"
            )
        return found

    def close(self) -> None:
        """Close idle connections."""
        self._transport.close()

    def forget_kinds(self) -> None:
        """Discard the discovery cache, after a definition has changed."""
        with self._lock:
            self._groups.clear()

    def _discover(self, base: str) -> dict[str, Resource]:
        try:
            listed = self.request("GET", base)
        except ApiError as error:
            if error.code == 404:
                return {}
            raise
        return {
            item["kind"]: Resource(base, item["name"], bool(item["namespaced"]))
            for item in listed["resources"]
            if "/" not in item["name"]
        }

    def apply(
        self, path: str, body: Json, *, manager: str, force: bool, dry_run: bool = False,
        warn: Callable[[str], None] | None = None,
    ) -> Json:  # fmt: skip
        """Server-side apply; returns the resulting object."""
        query = {
            "fieldManager": manager,
            "force": str(force).lower(),
            "fieldValidation": "Strict",
            **({"dryRun": "All"} if dry_run else {}),
        }
        return self.request("PATCH", path, body, query=query, content_type=APPLY, warn=warn)

    def get(self, path: str) -> Json | None:
        """An object, or None if it does not exist."""
        try:
            return self.request("GET", path)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def list_(self, path: str, **selectors: str) -> list[Json]:
        """The objects of a collection that the `labelSelector` or `fieldSelector` picks."""
        items: list[Json] = self.request("GET", path, query=selectors)["items"]
        return items

    def request(
        self, method: str, path: str, body: Json | None = None, *,
        query: Mapping[str, str] | None = None, content_type: str = "application/json",
        warn: Callable[[str], None] | None = None,
    ) -> Json:  # fmt: skip
        """A request, retried on transient errors. Raises ApiError or Unreachable."""
        # After one request has timed out, the next fails at once.
        retries = Retries(self._cancelled, is_hopeless=time.monotonic() < self._silent_until)
        while True:
            try:
                return self._once(method, path, body, query or {}, content_type, warn)
            except ApiError as error:
                if not error.is_transient or not retries.wait(at_least=error.retry_after):
                    raise
            except Unreachable as error:
                # Every verb but POST is idempotent.
                repeatable = method != "POST" or error.refused
                if not repeatable or not retries.wait(refused=error.refused):
                    self._silent_until = time.monotonic() + _SECONDS_OF_SILENCE
                    raise

    def _once(
        self, method: str, path: str, body: Json | None, query: Mapping[str, str], kind: str,
        warn: Callable[[str], None] | None,
    ) -> Json:  # fmt: skip
        answer = self._send(method, path, body, query, kind, fresh=False)
        if answer.status == 401:
            answer = self._send(method, path, body, query, kind, fresh=True)
        if 200 <= answer.status < 300:
            for text in answer.warnings if warn else ():
                warn(text)  # type: ignore[misc]
            document: Json = _decode(answer.body)
            return document
        try:
            status = _decode(answer.body)
        except msgspec.DecodeError:
            status = {"message": answer.body.decode(errors="replace")[:200]}
        if not isinstance(status, dict):
            status = {}
        if answer.status == 401:
            reason = f"{self.cluster.server} does not accept the kubeconfig's credentials"
            status = {**status, "message": f"{reason}; log in again"}
        raise ApiError(answer.status, status, answer.retry_after)

    def _send(
        self, method: str, path: str, body: Json | None, query: Mapping[str, str], kind: str, *,
        fresh: bool,
    ) -> Answer:  # fmt: skip
        headers = {"Accept": "application/json"}
        token = self.cluster.credentials.token(fresh=fresh)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers["Content-Type"] = kind
        content = None if body is None else _encode(body)
        try:
            return self._transport.send(method, path, query, content, headers)
        except NoAnswer as error:
            raise Unreachable(
                f"the cluster at {self.cluster.server} does not answer ({error}); see that it runs "
                "and that the kubeconfig is current",
                refused=error.refused,
            ) from None
