"""A front end's certificate, replaced as the networking layer's program does: the new one first.

Each handshake is made with what the load balancer serves then; so each request of this drill has
a connection of its own.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
import time
from typing import Any

from cli.drills.compute import Json
from cli.drills.scene import Scene
from cli.errors import CliError, Exit
from cli.traffic.target import Target

_NAME = "drill-replacement"
_SECONDS = 10.0
_SECONDS_TO_ISSUE = 60.0


def served(scene: Scene) -> tuple[str, list[str]]:
    """The model's HTTPS proxy and its certificates. Raises CliError for another front end."""
    if not scene.target.encrypted:
        raise CliError(f"{scene.model} is not called by HTTPS", "", Exit.USAGE)
    for rule in scene.compute.get("global/forwardingRules").get("items") or ():
        path = str(rule.get("target", ""))
        if "/targetHttpsProxies/" not in path or rule.get("IPAddress") != scene.address:
            continue
        proxy = path.rpartition("/")[2]
        links = scene.compute.get(f"global/targetHttpsProxies/{proxy}").get("sslCertificates")
        if links:
            # A drill that was killed has left its own.
            kept = [one for one in links if not one.endswith(f"/{_NAME}")]
            if kept and kept != links:
                _put(scene, proxy, kept)
            if kept and _has_replacement(scene):
                _delete_replacement(scene)
            return proxy, kept or links
        raise CliError(
            f"{proxy} takes its certificates from a certificate map",
            "`./platformctl drill certificate-change dev`: the drill is for those of the proxy",
            Exit.USAGE,
        )
    raise CliError(f"no HTTPS proxy of {scene.environment} serves {scene.model}", "", Exit.USAGE)


def replace(scene: Scene, found: tuple[str, list[str]]) -> None:
    """Let Google issue another certificate for the same domains, and serve it alone once active.

    Google issues a certificate only once a proxy has it; the former one is served until then.
    """
    proxy, old = found
    domains = _domains(scene, old)
    scene.timeline.note(f"another certificate for {', '.join(domains)}")
    body = {"name": _NAME, "type": "MANAGED", "managed": {"domains": domains}}
    scene.compute.change("POST", "global/sslCertificates", body)
    path = f"global/sslCertificates/{_NAME}"
    new = scene.compute.get(path)["selfLink"]
    before = fingerprint(scene.target)
    _put(scene, proxy, [*old, new])
    scene.wait(
        "it is active", lambda: _is_active(scene.compute.get(path)), patience=_SECONDS_TO_ISSUE
    )
    _put(scene, proxy, [new])
    _wait_for_another(scene, before)
    scene.timeline.sleep(scene.seconds)


def restore(scene: Scene, found: tuple[str, list[str]]) -> None:
    """Serve the former certificates, and delete the new one."""
    proxy, old = found
    if not _has_replacement(scene):
        return
    now = scene.compute.get(f"global/targetHttpsProxies/{proxy}")["sslCertificates"]
    try:
        if now != old:
            before = fingerprint(scene.target)
            _put(scene, proxy, old)
            if set(old).isdisjoint(now):
                _wait_for_another(scene, before)
    finally:
        _delete_replacement(scene)


def _has_replacement(scene: Scene) -> bool:
    listed = scene.compute.get("global/sslCertificates").get("items") or ()
    return any(one["name"] == _NAME for one in listed)


def _delete_replacement(scene: Scene) -> None:
    scene.compute.change("DELETE", f"global/sslCertificates/{_NAME}")
    scene.timeline.note("the new certificate is deleted")


def fingerprint(target: Target) -> str:
    """The first digits of the SHA-256 of the certificate that a handshake gets. Raises CliError."""
    context = target.tls()
    if context is None:
        raise CliError(f"{target.url} is not called by HTTPS")
    try:
        with (
            socket.create_connection((target.address, target.port), _SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=target.host) as encrypted,
        ):
            return hashlib.sha256(encrypted.getpeercert(binary_form=True) or b"").hexdigest()[:12]
    except (OSError, ssl.SSLError) as error:
        raise CliError(f"{target.url}: no handshake: {error}") from None


def _wait_for_another(scene: Scene, before: str) -> None:
    until = time.monotonic() + _SECONDS
    while (now := fingerprint(scene.target)) == before:
        if time.monotonic() > until:
            raise CliError(f"after {_SECONDS:.0f} s {before} is still served")
        scene.timeline.sleep(0.05)
    scene.timeline.note(f"{now} is served in place of {before}")


def _domains(scene: Scene, links: list[str]) -> list[str]:
    found: list[str] = []
    for link in links:
        one = scene.compute.get(f"global/sslCertificates/{link.rpartition('/')[2]}")
        found += (one.get("managed") or {}).get("domains") or one.get("subjectAlternativeNames", [])
    return list(dict.fromkeys(found))


def _is_active(certificate: Json) -> bool:
    managed: dict[str, Any] = certificate.get("managed") or {}
    return managed.get("status") == "ACTIVE"


def _put(scene: Scene, proxy: str, links: list[str]) -> None:
    path = f"targetHttpsProxies/{proxy}/setSslCertificates"
    scene.compute.change("POST", path, {"sslCertificates": links})
