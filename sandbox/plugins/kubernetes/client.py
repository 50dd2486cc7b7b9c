"""The API server over HTTP: discovery, server-side apply, and errors in a line."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import tenacity

from sandbox.plugins.kubernetes.kubeconfig import Cluster
from sandbox.plugins.provider import PluginError

Json = dict[str, Any]
_TRANSIENT = frozenset({429, 500, 502, 503, 504})
_SECONDS_OF_RETRIES = 30
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
APPLY = "application/apply-patch+yaml"  # JSON is YAML, too


class ApiError(PluginError):
    """The API server refused. `code` is the HTTP status, `reason` Kubernetes' own."""

    def __init__(self, code: int, status: Mapping[str, Any]) -> None:
        self.code = code
        self.reason = str(status.get("reason", ""))
        self.status = status
        message = " ".join(str(status.get("message") or f"HTTP status {code}").split())
        super().__init__(message)


class Unreachable(PluginError):  # noqa: N818 (a state of the cluster, caught by name)
    """No API server answers."""


@dataclass(frozen=True, slots=True)
class Resource:
    """Where objects of a kind are: `deployments`, and whether they have a namespace."""

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
        self._http = httpx.Client(
            base_url=cluster.server,
            verify=cluster.trust,
            timeout=httpx.Timeout(60, connect=10),
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=64),
            trust_env=False,
        )
        self._groups: dict[str, dict[str, Resource]] = {}
        self._lock = threading.Lock()

    def resource(self, api_version: str, kind: str) -> Resource:
        """Where objects of a kind are. Raises PluginError where the cluster has no such kind."""
        base = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        with self._lock:
            found = self._groups.get(base, {}).get(kind)
            if found is None:
                # Read again for an unknown kind: its definition may be new.
                self._groups[base] = self._discover(base)
                found = self._groups[base].get(kind)
        if found is None:
            raise PluginError(
                f"the cluster has no kind {kind} in {api_version}: is its definition installed, "
                "or was the version removed from this Kubernetes?"
            )
        return found

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
        self, path: str, body: Json, *, manager: str, force: bool, dry_run: bool = False
    ) -> Json:
        """Server-side apply; the object as it is then."""
        query = {
            "fieldManager": manager,
            "force": str(force).lower(),
            "fieldValidation": "Strict",
            **({"dryRun": "All"} if dry_run else {}),
        }
        return self.request("PATCH", path, body, query=query, content_type=APPLY)

    def get(self, path: str) -> Json | None:
        """An object, or None where there is none."""
        try:
            return self.request("GET", path)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def list_(self, path: str, selector: str) -> list[Json]:
        """The objects of a collection that bear the labels."""
        items: list[Json] = self.request("GET", path, query={"labelSelector": selector})["items"]
        return items

    def request(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Json:
        """A request, again where what went wrong passes. Raises ApiError or Unreachable."""
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._passes),
            wait=tenacity.wait_random_exponential(0.1, 5),
            stop=tenacity.stop_after_delay(_SECONDS_OF_RETRIES)
            | tenacity.stop_when_event_set(self._cancelled),
            sleep=tenacity.sleep_using_event(self._cancelled),
            reraise=True,
        )
        return attempts(self._once, method, path, body, query or {}, content_type)

    def _passes(self, error: BaseException) -> bool:
        if isinstance(error, ApiError):
            return error.code in _TRANSIENT and "AlreadyExists" not in error.reason
        return isinstance(error, Unreachable)

    def _once(
        self, method: str, path: str, body: Json | None, query: Mapping[str, str], kind: str
    ) -> Json:
        answer = self._send(method, path, body, query, kind, fresh=False)
        if answer.status_code == 401:
            answer = self._send(method, path, body, query, kind, fresh=True)
        if answer.is_success:
            document: Json = _decode(answer.content)
            return document
        try:
            status = _decode(answer.content)
        except msgspec.DecodeError:
            status = {"message": answer.text[:200]}
        raise ApiError(answer.status_code, status if isinstance(status, dict) else {})

    def _send(
        self,
        method: str,
        path: str,
        body: Json | None,
        query: Mapping[str, str],
        kind: str,
        *,
        fresh: bool,
    ) -> httpx.Response:
        headers = {"Accept": "application/json"}
        token = self.cluster.credentials.token(fresh=fresh)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers["Content-Type"] = kind
        content = None if body is None else _encode(body)
        try:
            return self._http.request(method, path, params=query, content=content, headers=headers)
        except httpx.TransportError as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise Unreachable(
                f"the cluster at {self.cluster.server} does not answer: {reason}"
            ) from None
