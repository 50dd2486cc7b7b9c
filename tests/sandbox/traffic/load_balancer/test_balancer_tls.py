"""Certificates, versions and protocols of HTTPS addresses."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest

from sandbox.traffic.load_balancer.surroundings import KeyPair
from tests.sandbox.traffic.load_balancer.key_pairs import key_pair
from tests.sandbox.traffic.load_balancer.rig import Rig, link

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("load_balancer")]
MAP = "projects/p/locations/global/certificateMaps/m"


@pytest.fixture(scope="module")
def pairs(envoy_rig: Rig) -> dict[str, KeyPair]:
    """Key pairs by the certificate's name."""
    names = {"main": ["a.example"], "second": ["b.example"], "wild": ["*.wild.example"]}
    return {name: key_pair(envoy_rig.folder, *hosts) for name, hosts in names.items()}


def https(rig: Rig, pairs: dict[str, KeyPair], **proxy: Any) -> None:
    rig.put("global/targetHttpsProxies/main", {"urlMap": link("global/urlMaps/main"), **proxy})
    rig.put(
        "global/forwardingRules/https",
        {"target": link("global/targetHttpsProxies/main"), "IPAddress": "192.0.2.1"},
    )
    rig.apply(certificate=lambda path: pairs.get(path.rpartition("/")[2]))
    rig.url_map(defaultService=rig.service("secure", 0))


def shake(rig: Rig, host: str, **limits: Any) -> tuple[str, str, str]:
    """The certificate's first host name, the version and the protocol of a handshake."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    for name, value in limits.items():
        setattr(context, name, value)
    with (
        socket.create_connection(("127.0.0.1", rig.https), timeout=60) as plain,
        context.wrap_socket(plain, server_hostname=host) as secure,
    ):
        raw = secure.getpeercert(binary_form=True) or b""
        from cryptography import x509

        names = x509.load_der_x509_certificate(raw).subject.rfc4514_string()
        return names, str(secure.version()), str(secure.selected_alpn_protocol())


def served(rig: Rig, host: str) -> str:
    try:
        return shake(rig, host)[0].removeprefix("CN=")
    except (ssl.SSLError, ConnectionError) as error:
        return type(error).__name__


def classic(*names: str) -> dict[str, Any]:
    return {"sslCertificates": [link(f"global/sslCertificates/{name}") for name in names]}


def test_classic_certificates_are_chosen_by_host(rig: Rig, pairs: dict[str, KeyPair]) -> None:
    https(rig, pairs, **classic("main", "second", "unissued"))
    rig.until(lambda: served(rig, "b.example") == "b.example")
    assert served(rig, "a.example") == "a.example"
    assert served(rig, "other.example") == "a.example"
    assert shake(rig, "a.example")[1:] == ("TLSv1.3", "h2")


def test_a_proxy_without_an_issued_certificate_refuses(rig: Rig, pairs: dict[str, KeyPair]) -> None:
    https(rig, pairs, **classic("unissued"))
    rig.until(lambda: served(rig, "a.example").endswith("Error"))


def test_a_certificate_map_replaces_classic_certificates(
    rig: Rig, pairs: dict[str, KeyPair]
) -> None:
    prefix = "projects/p/locations/global/certificates"
    entries = {
        "one": {"hostname": "b.example", "certificates": [f"{prefix}/second"]},
        "two": {"hostname": "*.wild.example", "certificates": [f"{prefix}/wild"]},
    }
    for name, entry in entries.items():
        rig.documents[f"certificatemanager/{MAP}/certificateMapEntries/{name}"] = entry
    reference = f"//certificatemanager.googleapis.com/{MAP}"
    https(rig, pairs, **classic("main"), certificateMap=reference)
    rig.until(lambda: served(rig, "x.wild.example") == "*.wild.example")
    assert served(rig, "b.example") == "b.example"
    assert served(rig, "a.example").endswith("Error")
    primary = {"matcher": "PRIMARY", "certificates": [f"{prefix}/main"]}
    rig.documents[f"certificatemanager/{MAP}/certificateMapEntries/three"] = primary
    rig.apply()
    rig.until(lambda: served(rig, "a.example") == "a.example")


def test_an_ssl_policy_limits_versions_and_ciphers(rig: Rig, pairs: dict[str, KeyPair]) -> None:
    rig.put("global/sslPolicies/modern", {
        "minTlsVersion": "TLS_1_2", "profile": "RESTRICTED",
        "enabledFeatures": ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"],
    })  # fmt: skip
    https(rig, pairs, **classic("main"), sslPolicy=link("global/sslPolicies/modern"))
    old = {"maximum_version": ssl.TLSVersion.TLSv1_2}
    rig.until(lambda: shake(rig, "a.example", **old)[1] == "TLSv1.2")
    older: dict[str, Any] = {
        "minimum_version": ssl.TLSVersion.TLSv1,
        "maximum_version": ssl.TLSVersion.TLSv1_1,
    }
    with (
        pytest.warns(DeprecationWarning, match="TLS"),
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        shake(rig, "a.example", **older)
