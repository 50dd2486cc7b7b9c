"""Simulates the persistent disk and Filestore CSI drivers: provisioning, resizing, deletion.

Only the controller part of a driver is simulated, on PersistentVolume objects. No data is stored.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from facts.filestore import DRIVER as FILESTORE
from facts.quantity import amount
from sandbox import tasks
from sandbox.kubernetes.api_server import MERGE_PATCH, ApiServer, ApiServerError
from sandbox.kubernetes.controllers.events import Events
from sandbox.kubernetes.controllers.filestore import Filestore, Refused, grown, tier_of
from sandbox.kubernetes.controllers.informer import Informer
from sandbox.kubernetes.controllers.reconcile_loop import AGAIN, reconcile_loop

Json = dict[str, Any]
_DISKS = "pd.csi.storage.gke.io"
_ASKED = "volume.kubernetes.io/storage-provisioner"
"""The volume controller sets it on a claim that a driver should provision."""
_NODE = "volume.kubernetes.io/selected-node"
_BY = "pv.kubernetes.io/provisioned-by"
_ZONE = "topology.kubernetes.io/zone"
_CLAIMS, _VOLUMES = "/api/v1/persistentvolumeclaims", "/api/v1/persistentvolumes"
_ATTACHMENTS = "/apis/storage.k8s.io/v1/volumeattachments"


class Volumes:
    """Reconciles all volumes of one cluster."""

    def __init__(
        self, server: ApiServer, *, project: str, filestore: Filestore | None = None
    ) -> None:
        """`filestore` is that add-on's driver; without it no such volume is made or changed."""
        self._server = server
        self._project = project
        self._filestore = filestore
        self._drivers = (_DISKS, FILESTORE) if filestore else (_DISKS,)
        self._events = Events(server, FILESTORE, kind="PersistentVolumeClaim")
        self._wake = asyncio.Event()
        self._claims = Informer(server, _CLAIMS, self._wake.set)
        self._volumes = Informer(server, _VOLUMES, self._wake.set)
        self._attachments = Informer(server, _ATTACHMENTS, self._wake.set)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start the controller."""
        informers = (self._claims, self._volumes, self._attachments)
        self._tasks = [asyncio.create_task(informer.run()) for informer in informers]
        self._tasks.append(asyncio.create_task(self._run()))

    async def stop(self) -> None:
        """Stop the controller. Volumes stay."""
        await tasks.end(self._tasks)
        if self._filestore:
            await self._filestore.close()

    async def _run(self) -> None:
        for informer in (self._claims, self._volumes, self._attachments):
            await informer.synced.wait()
        await reconcile_loop("volumes", self._wake, self._reconcile)

    async def _reconcile(self) -> float | None:
        volumes = {one["metadata"]["name"]: one for one in self._volumes.objects()}
        again: float | None = None
        for claim in self._claims.objects():
            if claim["metadata"].get("deletionTimestamp"):
                continue
            name = claim["spec"].get("volumeName")
            try:
                if name in volumes:
                    await self._grow(claim, volumes[name])
                elif not name and f"pvc-{claim['metadata']['uid']}" not in volumes:
                    await self._provision(claim)
            except Refused as refused:
                again = AGAIN
                await self._refused(claim, refused, is_new=not name)
        for volume in volumes.values():
            await self._delete(volume)
        for attachment in self._attachments.objects():
            status = attachment.get("status") or {}
            if attachment["spec"]["attacher"] in self._drivers and not status.get("attached"):
                path = f"{_ATTACHMENTS}/{attachment['metadata']['name']}/status"
                await self._patch(path, {"status": {"attached": True}})
        return again

    async def _refused(self, claim: Json, refused: Refused, *, is_new: bool) -> None:
        reason = "ProvisioningFailed" if is_new else "VolumeResizeFailed"
        kind = claim["spec"].get("storageClassName")
        said = f'failed to provision volume with StorageClass "{kind}": ' if is_new else ""
        await self._events.warn(claim, reason, f"{said}{refused}")

    async def _provision(self, claim: Json) -> None:
        annotations = claim["metadata"].get("annotations") or {}
        driver = str(annotations.get(_ASKED))
        if driver not in self._drivers:
            return
        found = await self._class(claim)
        node = (
            await self._server.get(f"/api/v1/nodes/{annotations[_NODE]}")
            if (_NODE in annotations)
            else None
        )
        if found is None:
            return
        zone = ((node or {}).get("metadata") or {}).get("labels", {}).get(_ZONE)
        if driver == FILESTORE and self._filestore:
            source, capacity = await self._filestore.provisioned(claim, found, zone)
            body = persistent_volume(claim, found, source, capacity)
        else:
            body = volume(claim, found, driver, project=self._project, zone=zone)
        with contextlib.suppress(_AlreadyThere):
            await self._make(body)

    async def _class(self, claim: Json) -> Json | None:
        name = claim["spec"].get("storageClassName")
        found: Json | None = await self._server.get(
            f"/apis/storage.k8s.io/v1/storageclasses/{name}"
        )
        return found

    async def _make(self, body: Json) -> None:
        try:
            await self._server.request("POST", _VOLUMES, body)
        except ApiServerError as error:
            if error.status == 409:
                raise _AlreadyThere from error
            raise

    async def _grow(self, claim: Json, volume: Json) -> None:
        """Grow a volume to its claim's request. Volumes never shrink."""
        requested = claim["spec"]["resources"]["requests"]["storage"]
        has = ((claim.get("status") or {}).get("capacity") or {}).get("storage")
        if has is None or _by(volume) not in self._drivers or amount(requested) <= amount(has):
            return
        if _by(volume) == FILESTORE and (kind := await self._class(claim)):
            requested = f"{grown(tier_of(kind), requested) // 2**30}Gi"
        path = f"{_VOLUMES}/{volume['metadata']['name']}"
        await self._patch(path, {"spec": {"capacity": {"storage": requested}}})
        metadata = claim["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/persistentvolumeclaims/"
        await self._patch(
            f"{path}{metadata['name']}/status", {"status": {"capacity": {"storage": requested}}}
        )

    async def _delete(self, volume: Json) -> None:
        is_free = (volume.get("status") or {}).get("phase") == "Released"
        if (
            is_free
            and _by(volume) in self._drivers
            and volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
            and not volume["metadata"].get("deletionTimestamp")
        ):
            await self._server.delete(f"{_VOLUMES}/{volume['metadata']['name']}")

    async def _patch(self, path: str, body: Json) -> None:
        try:
            await self._server.request("PATCH", path, body, content_type=MERGE_PATCH)
        except ApiServerError as error:
            if error.status != 404:
                raise


class _AlreadyThere(Exception):  # noqa: N818 (it is no failure)
    """The volume was created meanwhile."""


def _by(volume: Json) -> str:
    return str((volume["metadata"].get("annotations") or {}).get(_BY, ""))


def volume(claim: Json, kind: Json, driver: str, *, project: str, zone: str | None) -> Json:
    """Return the volume that the disk driver creates for a claim of a storage class."""
    name = f"pvc-{claim['metadata']['uid']}"
    place = f"zones/{zone}" if zone else "global"
    source = {
        "driver": driver,
        "volumeHandle": f"projects/{project}/{place}/disks/{name}",
        "fsType": "ext4",
    }
    made = persistent_volume(claim, kind, source, claim["spec"]["resources"]["requests"]["storage"])
    if zone:  # a disk is zonal, and so are its pods
        terms = [{"matchExpressions": [{"key": _ZONE, "operator": "In", "values": [zone]}]}]
        made["spec"]["nodeAffinity"] = {"required": {"nodeSelectorTerms": terms}}
    return made


def persistent_volume(claim: Json, kind: Json, source: Json, capacity: str) -> Json:
    """A PersistentVolume with the CSI source `source`, for one claim."""
    metadata, spec = claim["metadata"], claim["spec"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": f"pvc-{metadata['uid']}",
            "annotations": {_BY: source["driver"]},
        },
        "spec": {
            "capacity": {"storage": capacity},
            "accessModes": spec["accessModes"],
            "volumeMode": spec.get("volumeMode", "Filesystem"),
            "storageClassName": kind["metadata"]["name"],
            "persistentVolumeReclaimPolicy": kind.get("reclaimPolicy", "Delete"),
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": metadata["uid"],
            },
            "csi": source,
        },
    }
