"""GKE's secret synchronization: copies secrets of Secret Manager into Secrets.

It reads as the Google account of the SecretSync's service account. The emulated API does not
enforce IAM, so the controller checks the two bindings that Google would: the Kubernetes account may
act as the Google one, and the Google one may access the secret.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import yaml

from sandbox import tasks
from sandbox.kubernetes.api_server import MERGE_PATCH, ApiServer, ApiServerError
from sandbox.kubernetes.controllers.informer import Informer
from sandbox.kubernetes.controllers.reconcile_loop import AGAIN, reconcile_loop
from sandbox.kubernetes.secret_sync import CLASSES, SYNCS

Json = dict[str, Any]
_MANAGER = "secrets-store-sync-controller"
_LABEL = "secrets-store.sync.x-k8s.io/secretsync"
_ACCOUNT = "iam.gke.io/gcp-service-account"
_READERS = frozenset(
    {
        "roles/owner",
        "roles/secretmanager.admin",
        "roles/secretmanager.secretAccessor",
    }
)
_ROTATION_SECONDS = 120


class SyncError(Exception):
    """A secret cannot be read; `reason` is the condition's."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class SecretSyncs:
    """Reconciles all SecretSyncs of one cluster."""

    def __init__(self, server: ApiServer, *, api: Callable[[], str], project: str) -> None:
        self._server = server
        self._api = api
        self._project = project
        self._wake = asyncio.Event()
        self._syncs = Informer(server, SYNCS, self._wake.set)
        self._classes = Informer(server, CLASSES, self._wake.set)
        self._http = httpx.AsyncClient(
            headers={"Authorization": "Bearer gke"}, timeout=30, trust_env=False
        )
        self._read_at: dict[str, float] = {}
        """When each SecretSync was last read, by uid and generation."""
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start the controller."""
        self._tasks = [
            asyncio.create_task(self._syncs.run()),
            asyncio.create_task(self._classes.run()),
            asyncio.create_task(self._run()),
        ]

    async def stop(self) -> None:
        """Stop the controller. Secrets stay."""
        await tasks.end(self._tasks)
        await self._http.aclose()

    async def _run(self) -> None:
        for informer in (self._syncs, self._classes):
            await informer.synced.wait()
        await reconcile_loop("secret synchronization", self._wake, self._reconcile)

    async def _reconcile(self) -> float | None:
        """Synchronize what is due; again while there are SecretSyncs."""
        syncs = [one for one in self._syncs.objects() if not _is_deleted(one)]
        for sync in syncs:
            key = f"{sync['metadata']['uid']}/{sync['metadata'].get('generation')}"
            if time.monotonic() - self._read_at.get(key, -_ROTATION_SECONDS) < _ROTATION_SECONDS:
                continue
            try:
                await self._synchronize(sync)
                self._read_at[key] = time.monotonic()
            except SyncError as error:
                await self._report(sync, "False", error.reason, str(error))
        return AGAIN if syncs else None

    async def _synchronize(self, sync: Json) -> None:
        metadata, spec = sync["metadata"], sync["spec"]
        files = await self._files(metadata["namespace"], spec)
        data = {}
        for one in spec["secretObject"]["data"]:
            if one["sourcePath"] not in files:
                raise SyncError(
                    "UserInputValidationFailed",
                    f"the class has no file {one['sourcePath']}",
                )
            data[one["targetKey"]] = files[one["sourcePath"]]
        given = spec["secretObject"]
        owner = {
            "apiVersion": sync.get("apiVersion", "secret-sync.gke.io/v1"),
            "kind": "SecretSync",
            "name": metadata["name"],
            "uid": metadata["uid"],
            "controller": True,
        }
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "labels": {**(given.get("labels") or {}), _LABEL: metadata["name"]},
                "annotations": given.get("annotations") or {},
                "ownerReferences": [owner],
            },
            "type": given["type"],
            "data": data,
        }
        path = f"/api/v1/namespaces/{metadata['namespace']}/secrets/{metadata['name']}"
        await self._server.apply(path, body, manager=_MANAGER)
        digest = hashlib.sha256(msgspec.json.encode([metadata["uid"], data])).hexdigest()
        await self._report(
            sync, "True", "CreateSucceeded", "Secret created successfully.", digest=digest
        )

    async def _files(self, namespace: str, spec: Json) -> dict[str, str]:
        """The payloads, base64, by path: what the provider would mount."""
        name = spec["secretProviderClassName"]
        found = next(
            (
                one
                for one in self._classes.objects()
                if (one["metadata"]["namespace"], one["metadata"]["name"]) == (namespace, name)
            ),
            None,
        )
        if found is None:
            raise SyncError("SecretProviderClassNotFound", f"there is no class {name}")
        account = await self._google_account(namespace, spec["serviceAccountName"])
        listed = _parse(found)
        return {one["path"]: await self._payload(one["resourceName"], account) for one in listed}

    async def _google_account(self, namespace: str, name: str) -> str:
        """The Google account that a service account acts as; SyncError if it may not."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}"
        found = await self._server.get(path)
        if found is None:
            raise SyncError("UserInputValidationFailed", f"there is no service account {name}")
        email = str((found["metadata"].get("annotations") or {}).get(_ACCOUNT, ""))
        if not email:
            raise SyncError("ProviderError", f"{name} is not annotated with {_ACCOUNT}")
        policy = await self._google(
            "POST", f"iam/v1/projects/-/serviceAccounts/{email}:getIamPolicy"
        )
        member = f"serviceAccount:{self._project}.svc.id.goog[{namespace}/{name}]"
        if not _has(policy, frozenset({"roles/iam.workloadIdentityUser"}), member):
            raise SyncError("ProviderError", f"{member} may not act as {email}")
        return email

    async def _payload(self, resource: str, account: str) -> str:
        secret = resource.partition("/versions/")[0]
        policy = await self._google("GET", f"secretmanager/v1/{secret}:getIamPolicy")
        if not _has(policy, _READERS, f"serviceAccount:{account}"):
            raise SyncError(
                "ProviderError",
                "Permission 'secretmanager.versions.access' denied for resource "
                f"'{resource}' (or it may not exist).",
            )
        answer = await self._google("GET", f"secretmanager/v1/{resource}:access")
        return str(answer["payload"]["data"])

    async def _google(self, method: str, path: str) -> Json:
        answer = await self._http.request(method, f"{self._api()}/{path}")
        document: Json = msgspec.json.decode(answer.content) if answer.content else {}
        if answer.status_code >= 400:
            error = document.get("error") or {}
            raise SyncError("ProviderError", str(error.get("message") or answer.status_code))
        return document

    async def _report(
        self, sync: Json, status: str, reason: str, message: str, *, digest: str = ""
    ) -> None:
        metadata = sync["metadata"]
        old = ((sync.get("status") or {}).get("conditions") or [{}])[0]
        if (old.get("status"), old.get("reason"), old.get("message")) == (status, reason, message):
            now = old["lastTransitionTime"]
        else:
            now = _now()
        condition = {
            "type": "Create",
            "status": status,
            "reason": reason,
            "message": message,
            "lastTransitionTime": now,
        }
        body: Json = {"conditions": [condition]}
        if digest:
            body |= {"syncHash": digest, "lastSuccessfulSyncTime": _now()}
        group, _, plural = SYNCS.rpartition("/")
        path = f"{group}/namespaces/{metadata['namespace']}/{plural}/{metadata['name']}/status"
        if digest or old != condition:
            try:
                await self._server.request(
                    "PATCH", path, {"status": body}, content_type=MERGE_PATCH
                )
            except ApiServerError as error:
                if error.status != 404:
                    raise


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _parse(provider_class: Json) -> list[Json]:
    spec = provider_class.get("spec") or {}
    if spec.get("provider") != "gke":
        raise SyncError("UserInputValidationFailed", "the class is not of provider gke")
    return list(yaml.safe_load((spec.get("parameters") or {}).get("secrets") or "[]"))


def _is_deleted(item: Json) -> bool:
    return bool(item["metadata"].get("deletionTimestamp"))


def _has(policy: Json, roles: frozenset[str], member: str) -> bool:
    return any(
        one.get("role") in roles and member in (one.get("members") or [])
        for one in policy.get("bindings") or []
    )
