"""Whether Google could issue a managed certificate by now, and which resources use which."""

from __future__ import annotations

import time
from collections.abc import Iterator

from sandbox.gcp.discovery import Json
from sandbox.gcp.service import State
from sandbox.gcp.services import issuance_time
from sandbox.gcp.services.certificatemanager.shared import HOST, PREFIX
from sandbox.gcp.services.compute import serving
from sandbox.gcp.services.dns.lookup import lookup


def managed(state: State, name: str, document: Json) -> Json:
    """The `managed` field with the state of its issuance. Once issued, it stays ACTIVE."""
    part: Json = document["managed"]
    if document.get("_issued"):
        proven = dict.fromkeys(part["domains"], True)
    elif time.time() < document.get("_from", 0.0):
        proven = {}
    else:
        proven = {domain: _is_proven(state, name, part, domain) for domain in part["domains"]}
    attempts = [
        {"domain": domain, "state": "AUTHORIZED" if is_proven else "FAILED"}
        | ({} if is_proven else {"failureReason": "CONFIG", "details": _advice(part)})
        for domain, is_proven in proven.items()
    ]
    if proven and all(proven.values()):
        if document.get("_issued") or _is_issued_now(state, name, document):
            return {**part, "state": "ACTIVE", "authorizationAttemptInfo": attempts}
        return {**part, "state": "PROVISIONING", "authorizationAttemptInfo": attempts}
    if document.get("_proven"):
        state.store.put(f"{PREFIX}/{name}", {**document, "_proven": 0.0})
    issue = {"reason": "AUTHORIZATION_ISSUE", "details": _advice(part)}
    shown = {**part, "state": "PROVISIONING", "authorizationAttemptInfo": attempts}
    return shown | ({"provisioningIssue": issue} if attempts else {})


def is_being_issued(document: Json) -> bool:
    """Whether the domains of a managed certificate are proven, and it is not issued yet."""
    return bool(document.get("_proven")) and not document.get("_issued")


def _is_issued_now(state: State, name: str, document: Json) -> bool:
    """Note since when the domains are proven; whether the certificate is issued by now."""
    since = document.get("_proven") or time.time()
    is_over = issuance_time.is_over(state, since)
    if is_over or not document.get("_proven"):
        noted = {**document, "_proven": since, "_issued": is_over}
        if is_over:
            noted["expireTime"] = issuance_time.expiry("%Y-%m-%dT%H:%M:%SZ")
        state.store.put(f"{PREFIX}/{name}", noted)
    return is_over


def _advice(part: Json) -> str:
    if part.get("dnsAuthorizations"):
        return "The CNAME record of the DNS authorization was not found."
    return "The domain does not resolve to a load balancer that serves the certificate."


def _is_proven(state: State, name: str, part: Json, domain: str) -> bool:
    authorizations = part.get("dnsAuthorizations") or []
    if not authorizations:
        addresses = {
            address
            for map_name in _maps_with(state, name)
            for proxy in proxies(state, map_name)
            for address in serving.addresses(state, proxy)
        }
        return bool(addresses & set(lookup(state, domain, "A")))
    plain = domain.removeprefix("*.")
    for reference in authorizations:
        found = state.store.get(f"{PREFIX}/{reference.removeprefix(HOST)}")
        if found and found["domain"] == plain:
            record = found["dnsResourceRecord"]
            return record["data"] in lookup(state, record["name"], "CNAME")
    return False


def entries(state: State, map_name: str) -> Iterator[tuple[str, Json]]:
    """The entries of a map."""
    yield from state.store.collection(f"{PREFIX}/{map_name}/certificateMapEntries")


def proxies(state: State, map_name: str) -> Iterator[str]:
    """The paths of the target proxies that serve a map."""
    yield from serving.proxies_of_map(state, map_name)


def users_of_certificate(state: State, name: str) -> Iterator[str]:
    """The entries of maps that name a certificate."""
    location = "/".join(name.split("/")[:4])
    for map_name, _ in state.store.collection(f"{PREFIX}/{location}/certificateMaps"):
        path = f"{location}/certificateMaps/{map_name}"
        for entry, body in entries(state, path):
            if name in body["certificates"]:
                yield f"{path}/certificateMapEntries/{entry}"


def all_users_of_certificate(state: State, name: str) -> Iterator[str]:
    """The entries of maps and the regional proxies that name a certificate."""
    yield from users_of_certificate(state, name)
    yield from serving.proxies_of_certificate(state, name)


def _maps_with(state: State, name: str) -> set[str]:
    users = users_of_certificate(state, name)
    return {user.partition("/certificateMapEntries/")[0] for user in users}


def users_of_authorization(state: State, name: str) -> Iterator[str]:
    """The certificates that name a DNS authorization."""
    location = "/".join(name.split("/")[:4])
    for certificate, body in state.store.collection(f"{PREFIX}/{location}/certificates"):
        given = (body.get("managed") or {}).get("dnsAuthorizations") or []
        if name in {one.removeprefix(HOST) for one in given}:
            yield f"{location}/certificates/{certificate}"
