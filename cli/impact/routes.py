"""Which routes, addresses, certificates and data a change loses or interrupts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cli.impact.losses import Loss
from cli.impact.operations import Change, Operation
from gkeplatform.protection import PROTECTED_TYPES

_BACKEND_SERVICE = "gcp:compute/backendService:BackendService"
_ENTRIES = {
    "gcp:compute/globalForwardingRule:GlobalForwardingRule": "all requests to its port fail",
    "gcp:compute/targetHttpProxy:TargetHttpProxy": "all requests over HTTP fail",
    "gcp:compute/targetHttpsProxy:TargetHttpsProxy": "all requests over HTTPS fail",
    "gcp:compute/uRLMap:URLMap": "all requests to the load balancer fail",
    _BACKEND_SERVICE: "requests to it fail",
    "gcp:compute/backendBucket:BackendBucket": "requests for static files fail",
}
_INSIDE = (":Service", ":Ingress", ":Gateway", ":HTTPRoute", ":GRPCRoute")
_ADDRESSES = (
    "gcp:compute/globalAddress:GlobalAddress",
    "gcp:compute/address:Address",
)
_CERTIFICATES = (
    "gcp:compute/managedSslCertificate:ManagedSslCertificate",
    "gcp:certificatemanager/certificate:Certificate",
)
_DATA = (
    *(one for one in PROTECTED_TYPES if one not in _ADDRESSES and "Cluster" not in one),
    "kubernetes:core/v1:PersistentVolumeClaim",
)
PROVISIONING = 3600
"""Seconds within which Google usually issues a certificate; with slow DNS it takes up to a day."""


def losses(changes: Sequence[Change]) -> Iterator[Loss]:
    """The routes, addresses, certificates and data that the changes of all layers lose."""
    former = _former(changes)
    for change in changes:
        kind, name = change.step.type, f"{change.step.kind} {change.step.name}"
        goes = change.operation in (Operation.REPLACE, Operation.DELETE)
        if kind in _CERTIFICATES and (goes or change.operation is Operation.CREATE):
            yield _certificate(name, change, former)
        elif not goes:
            continue
        elif kind in _ADDRESSES:
            final = change.operation is Operation.DELETE
            told = (
                "is released; clients and DNS records may still use it"
                if final
                else "becomes another address; clients use the old one until DNS records expire"
            )
            yield Loss("address", name, told, None, change.layer, is_final=final)
        elif kind in _ENTRIES:
            yield _entry(name, _ENTRIES[kind], change)
        elif kind.startswith("kubernetes:") and kind.endswith(_INSIDE):
            yield _entry(name, "requests through it fail", change)
        elif kind in _DATA:
            told = f"{_past(change)}, and what it holds with it"
            yield Loss("data", name, told, None, change.layer, is_final=True)


def _former(changes: Sequence[Change]) -> dict[str, Change]:
    """By the URN of a new classic certificate, the deleted one that serves until it is issued."""
    classic = [one for one in changes if one.step.type == _CERTIFICATES[0]]
    return {
        new.step.urn: old
        for new in classic
        for old in classic
        if (new.operation, old.operation) == (Operation.CREATE, Operation.DELETE)
        and _domains(new.step.new) & _domains(old.step.old)
    }


def _domains(certificate: Mapping[str, Any]) -> set[str]:
    return set((certificate.get("managed") or {}).get("domains") or ())


def _certificate(name: str, change: Change, former: Mapping[str, Change]) -> Loss:
    issued = f"usually within {PROVISIONING // 60} min, at times within a day"
    if (old := former.get(change.step.urn)) is not None:
        told = (
            f"takes over from {old.step.name} once Google has issued it, {issued}; until then "
            "both are on the load balancer, `up` waits, and only new domains lack HTTPS"
        )
        return Loss("certificate", name, told, 0, change.layer)
    if change in former.values():
        told = "is deleted once Google has issued what takes over from it"
        return Loss("certificate", name, told, 0, change.layer)
    if change.operation is Operation.DELETE:
        told = "is deleted; HTTPS fails for domains that no other certificate has"
        return Loss("certificate", name, told, None, change.layer, is_final=True)
    told = (
        f"is issued by Google once DNS points to the load balancer, {issued}; "
        "until then HTTPS with it fails"
    )
    return Loss("certificate", name, told, None, change.layer, is_certain=False)


def _entry(name: str, told: str, change: Change) -> Loss:
    if change.operation is Operation.DELETE:
        return Loss("route", name, f"is deleted; {told}", None, change.layer, is_final=True)
    if change.step.type == _BACKEND_SERVICE and change.step.old.get("name") != change.step.new.get(
        "name"
    ):
        moved = "is replaced; requests go to the new one once probes may have found it healthy"
        return Loss("route", name, moved, 0, change.layer)
    effect = f"is replaced; {told} meanwhile, unless the new one is created first"
    return Loss("route", name, effect, None, change.layer, is_certain=False)


def _past(change: Change) -> str:
    is_deletion = change.operation is Operation.DELETE
    return "is deleted" if is_deletion else "is deleted and created again"
