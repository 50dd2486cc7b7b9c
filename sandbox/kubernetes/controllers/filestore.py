"""The volumes that the Filestore CSI driver makes, and what Filestore and the driver refuse.

Only the controller part of the driver is simulated; there is no instance and no NFS server. The
rules are those of kubernetes-sigs/gcp-filestore-csi-driver, `pkg/csi_driver/controller.go`: a size
below the tier's smallest is rounded up, an unknown parameter is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import httpx

from facts.filestore import DRIVER, SERVICE, Tier, named
from facts.quantity import amount

Json = dict[str, Any]
_KNOWN = frozenset(
    {"tier", "network", "connect-mode", "reserved-ipv4-cidr", "labels", "multishare"}
    | {"instance-storageclass-label", "instance-encryption-kms-key", "nfs-export-options-on-create"}
)
_SHARE = "vol1"
_DEFAULT_TIER, _DEFAULT_NETWORK = "standard", "default"
_DIRECT = "DIRECT_PEERING"


class Refused(Exception):  # noqa: N818 (the claim is at fault)
    """The driver's answer to the provisioner, as its event shows it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"rpc error: code = {code} desc = {message}")


class Filestore:
    """The driver of one cluster, which makes instances in the cluster's project."""

    def __init__(self, api: Callable[[], str], project: str) -> None:
        self._api = api
        self._project = project
        self._http = httpx.AsyncClient(
            headers={"Authorization": "Bearer gke"}, timeout=30, trust_env=False
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def provisioned(self, claim: Json, kind: Json, zone: str | None) -> tuple[Json, str]:
        """The CSI source and the capacity of the volume for a claim. Raises `Refused`.

        `zone` is that of the claim's first pod.
        """
        parameters = kind.get("parameters") or {}
        _check(parameters)
        tier = _tier(parameters)
        size = grown(tier, claim["spec"]["resources"]["requests"]["storage"])
        await self._enabled()
        await self._network(parameters.get("network", _DEFAULT_NETWORK))
        location = _location(tier, zone)
        name = f"pvc-{claim['metadata']['uid']}"
        source = {
            "driver": DRIVER,
            "volumeHandle": f"modeInstance/{location}/{name}/{_SHARE}",
            "volumeAttributes": {"volume": _SHARE},
        }
        return source, f"{size // 2**30}Gi"

    async def _enabled(self) -> None:
        path = f"serviceusage/v1/projects/{self._project}/services/{SERVICE}"
        found = await self._http.get(f"{self._api()}/{path}")
        found.raise_for_status()
        if found.json()["state"] != "ENABLED":
            raise Refused(
                "PermissionDenied",
                "googleapi: Error 403: Cloud Filestore API has not been used in project "
                f"{self._project} before or it is disabled., accessNotConfigured",
            )

    async def _network(self, named: str) -> None:
        path = named if "/" in named else f"projects/{self._project}/global/networks/{named}"
        found = await self._http.get(f"{self._api()}/compute/v1/{path}")
        if found.status_code == 404:
            raise Refused(
                "InvalidArgument", f"googleapi: Error 400: network '{named}' does not exist."
            )
        found.raise_for_status()


def grown(tier: Tier, quantity: str) -> int:
    """The bytes of an instance that a claim asks `quantity` of. Raises `Refused`."""
    asked = int(amount(quantity))
    size = tier.rounded(asked)
    if refusal := tier.refusal(size):
        raise Refused("InvalidArgument", f"size {quantity} is {refusal}")
    return size


def tier_of(kind: Json) -> Tier:
    """The tier of a storage class. Raises `Refused`."""
    return _tier(kind.get("parameters") or {})


def _tier(parameters: Mapping[str, str]) -> Tier:
    text = parameters.get("tier", _DEFAULT_TIER)
    tier = named(text)
    if tier is None:
        raise Refused("InvalidArgument", f"sandbox does not emulate the Filestore tier {text!r}")
    return tier


def _check(parameters: Mapping[str, str]) -> None:
    for name in parameters:
        if name.lower() not in _KNOWN:
            raise Refused("InvalidArgument", f'invalid parameter "{name}"')
    if parameters.get("multishare") == "true":
        raise Refused("Unimplemented", "sandbox does not emulate Filestore multishares")
    mode = parameters.get("connect-mode", _DIRECT)
    if mode != _DIRECT:
        raise Refused("Unimplemented", f"sandbox does not emulate connect-mode {mode}")


def _location(tier: Tier, zone: str | None) -> str:
    """An instance is in the zone of the first pod, or in its region."""
    place = zone or ""
    return place.rpartition("-")[0] if tier.is_regional else place
