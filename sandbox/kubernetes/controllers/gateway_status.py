"""Status of Gateways, routes and policies, as GKE writes it. Pure except for the clock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
CONTROLLER = "networking.gke.io/gateway"


def condition(owner: Json, kind: str, reason: str, message: str = "", *, is_true: bool) -> Json:
    """Return a condition for an object's current generation."""
    return {
        "type": kind,
        "status": "True" if is_true else "False",
        "reason": reason,
        "message": message,
        "observedGeneration": owner["metadata"].get("generation", 1),
    }


def gateway(
    one: Json, *, address: str | None, attached: dict[str, int], problem: str | None = None
) -> Json:
    """Return the status of a Gateway. `attached` is the number of routes by listener."""
    programmed = condition(
        one,
        "Programmed",
        "Programmed" if problem is None else "Invalid",
        problem or "",
        is_true=problem is None,
    )
    return {
        "addresses": [{"type": "IPAddress", "value": address}] if address else [],
        "conditions": [condition(one, "Accepted", "Accepted", is_true=True), programmed],
        "listeners": [
            {
                "name": listener["name"],
                "attachedRoutes": attached.get(listener["name"], 0),
                "supportedKinds": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"}],
                "conditions": [
                    condition(one, "Accepted", "Accepted", is_true=True),
                    condition(one, "ResolvedRefs", "ResolvedRefs", is_true=True),
                    programmed,
                ],
            }
            for listener in one["spec"]["listeners"]
        ],
    }


def parent(
    route: Json,
    reference: Json,
    *,
    refused: str | None,
    missing: list[str],
    unsupported: str | None = None,
    invalid: str | None = None,
) -> Json:
    """Return a route's status for one of its parent Gateways."""
    problem = unsupported or refused
    reason = "UnsupportedValue" if unsupported else "NotAllowedByListeners"
    accepted = condition(
        route,
        "Accepted",
        reason if problem else "Accepted",
        problem or "",
        is_true=problem is None,
    )
    reason, message = "ResolvedRefs", ""
    if invalid:
        reason, message = "InvalidKind", invalid
    elif missing:
        reason, message = "BackendNotFound", f"no {', '.join(missing)}"
    resolved = condition(
        route, "ResolvedRefs", reason, message, is_true=not missing and not invalid
    )
    return {
        "parentRef": reference,
        "controllerName": CONTROLLER,
        "conditions": [accepted, resolved],
    }


def policy(one: Json, *, is_attached: bool) -> Json:
    """Return the status of a policy."""
    target = one["spec"]["targetRef"]
    missing = f"no {target['kind']} {target['name']}"
    reason, message = ("Attached", "") if is_attached else ("TargetNotFound", missing)
    return {"conditions": [condition(one, "Attached", reason, message, is_true=is_attached)]}


def merged(old: Any, new: Any) -> Any:
    """Return `new` with the transition times of unchanged conditions."""
    if isinstance(new, dict):
        kept = old if isinstance(old, dict) else {}
        made = {key: merged(kept.get(key), value) for key, value in new.items()}
        if "observedGeneration" in new:
            is_same = all(kept.get(key) == new[key] for key in ("status", "reason", "message"))
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            made["lastTransitionTime"] = kept.get("lastTransitionTime") if is_same else now
        return made
    if isinstance(new, list):
        before = {_key(item): item for item in old or [] if isinstance(item, dict)}
        return [
            merged(before.get(_key(item)), item) if isinstance(item, dict) else item for item in new
        ]
    return new


def _key(item: Json) -> str:
    return str(item.get("type") or item.get("name") or item.get("parentRef") or item)
