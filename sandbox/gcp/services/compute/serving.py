"""Where certificates are served: the proxies that use them, and the proxies' addresses."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.gcp.service import State
from sandbox.gcp.services.compute.place import parse

MAP_HOST = "//certificatemanager.googleapis.com/"
_PROXIES = ("targetHttpsProxies", "targetSslProxies")


def proxies_of_map(state: State, map_name: str) -> Iterator[str]:
    """The paths of the target proxies that serve a certificate map."""
    project = map_name.split("/")[1]
    for collection in _PROXIES:
        folder = f"projects/{project}/global/{collection}"
        for name, body in state.store.collection(f"compute/{folder}"):
            if str(body.get("certificateMap", "")).removeprefix(MAP_HOST) == map_name:
                yield f"{folder}/{name}"


def proxies_of_certificate(state: State, certificate: str) -> Iterator[str]:
    """The regional proxies that name a certificate of Certificate Manager, by their paths."""
    _, project, _, location, *_ = certificate.split("/")
    for collection in _PROXIES:
        folder = f"projects/{project}/regions/{location}/{collection}"
        for name, body in state.store.collection(f"compute/{folder}"):
            if f"{MAP_HOST}{certificate}" in (body.get("sslCertificates") or ()):
                yield f"{folder}/{name}"


def addresses(state: State, proxy: str) -> Iterator[str]:
    """The addresses of the forwarding rules that lead to a target proxy."""
    for key in state.store.users(proxy):
        by = parse(key.removeprefix("compute/"))
        rule = state.store.get(key)
        if by is not None and by.collection == "forwardingRules" and rule is not None:
            yield str(rule["IPAddress"])


def addresses_of_certificate(state: State, certificate: str) -> Iterator[str]:
    """The addresses on which a classic certificate is served; `certificate` is its path."""
    for key in state.store.users(certificate):
        yield from addresses(state, key.removeprefix("compute/"))
