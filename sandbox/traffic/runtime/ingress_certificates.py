"""The certificates of NGINX's Ingresses: those of `tls`, and the controller's own for other hosts.

https://kubernetes.github.io/ingress-nginx/user-guide/tls/: a host without a certificate gets the
controller's default one, which no caller trusts.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sandbox.gcp.store import Json
from sandbox.home import write_private
from sandbox.kubernetes.cluster_objects import ClusterObjects
from sandbox.traffic.load_balancer.route_actions import TYPE
from sandbox.traffic.load_balancer.surroundings import KeyPair

DEFAULT = "ingress.local"
"""The only host that the controller's own certificate names."""
Decline = Callable[[Json, str, str], None]
_CONTEXT = f"{TYPE}envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"


def by_host(
    objects: ClusterObjects, ingresses: Iterable[Json], folder: Path, decline: Decline
) -> dict[str, KeyPair]:
    """The key pair of each host that an Ingress has one for. Raises OSError.

    `decline` is told of a Secret that is missing or holds none.
    """
    secrets = {
        (one["metadata"]["namespace"], one["metadata"]["name"]): one for one in objects.certificates
    }
    found: dict[str, KeyPair] = {}
    for ingress in ingresses:
        for entry in ingress["spec"].get("tls") or []:
            name = str(entry.get("secretName") or "")
            secret = secrets.get((ingress["metadata"]["namespace"], name))
            pair = _pair(secret, folder) if secret else None
            if pair is None:
                decline(ingress, "spec.tls", f"There is no certificate in the Secret `{name}`.")
            elif not entry.get("hosts"):
                decline(ingress, "spec.tls", "Without hosts, NGINX serves its own certificate.")
            else:
                found |= {str(host): pair for host in entry["hosts"] if host not in found}
    return found


def chains(pairs: Mapping[str, KeyPair], default: KeyPair, filters: Json) -> list[Json]:
    """The filter chains of a listener: one for each certificate, and the default."""
    hosts: dict[KeyPair, list[str]] = {}
    for host, pair in pairs.items():
        hosts.setdefault(pair, []).append(host)
    return [*_matching(hosts, filters), {**filters, "transport_socket": _socket(default)}]


def _matching(hosts: Mapping[KeyPair, list[str]], filters: Json) -> Iterator[Json]:
    for pair, names in hosts.items():
        match = {"server_names": sorted(names)}
        yield {**filters, "filter_chain_match": match, "transport_socket": _socket(pair)}


def _pair(secret: Json, folder: Path) -> KeyPair | None:
    data = secret.get("data") or {}
    try:
        parts = [base64.b64decode(data[key], validate=True) for key in ("tls.crt", "tls.key")]
        texts = [part.decode("ascii") for part in parts]
        # Envoy would refuse the whole listener.
        certificate = x509.load_pem_x509_certificate(parts[0])
        key = load_pem_private_key(parts[1], None)
    except (KeyError, binascii.Error, ValueError, TypeError, UnsupportedAlgorithm):
        return None
    if certificate.public_key() != key.public_key():
        return None
    digest = hashlib.sha256("".join(texts).encode()).hexdigest()[:32]
    pair = KeyPair(folder / f"ingress-{digest}.crt", folder / f"ingress-{digest}.key")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path, text in zip(pair, texts, strict=True):
        if not path.exists():
            write_private(path, text)
    return pair


def _socket(pair: KeyPair) -> Json:
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": _CONTEXT,
            "common_tls_context": {
                # ssl-protocols of ingress-nginx: TLSv1.2 TLSv1.3
                "tls_params": {
                    "tls_minimum_protocol_version": "TLSv1_2",
                    "tls_maximum_protocol_version": "TLSv1_3",
                },
                "tls_certificates": [
                    {
                        "certificate_chain": {"filename": str(pair.chain)},
                        "private_key": {"filename": str(pair.key)},
                    }
                ],
                "alpn_protocols": ["h2", "http/1.1"],
            },
        },
    }
