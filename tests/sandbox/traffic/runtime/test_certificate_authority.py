"""The sandbox's certificate authority, and which certificate resources have a key pair."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from cryptography import x509

from sandbox.gcp.app import App
from sandbox.gcp.private_keys import PrivateKeys
from sandbox.traffic.runtime.authority import Authority
from sandbox.traffic.runtime.certificates import Certificates
from tests.sandbox.gcp.emulated_cloud import Cloud

CLASSIC = "compute/projects/p/global/sslCertificates"
MANAGER = "certificatemanager/projects/p/locations/global/certificates"


@pytest.fixture
def app(tmp_path: Path) -> App:
    made = App(None)
    made.state.private_keys = PrivateKeys(tmp_path / "keys")
    return made


def certificates(app: App, tmp_path: Path) -> Certificates:
    authority = Authority(tmp_path)
    authority.prepare()
    return Certificates(app.state, authority, tmp_path)


def names(path: Path) -> list[str]:
    leaf = x509.load_pem_x509_certificate(path.read_bytes())
    found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return list(found.value.get_values_for_type(x509.DNSName))


def test_a_certificate_is_signed_by_the_authority_and_kept(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.prepare()
    pair = authority.issue(["a.example", "*.b.example"])
    leaf = x509.load_pem_x509_certificate(pair.chain.read_bytes())
    leaf.verify_directly_issued_by(
        x509.load_pem_x509_certificate(authority.certificate.read_bytes())
    )
    assert names(pair.chain) == ["a.example", "*.b.example"]
    again = Authority(tmp_path)
    before = pair.chain.read_bytes()
    assert again.issue(["a.example", "*.b.example"]).chain.read_bytes() == before


def test_no_key_can_be_read_by_others(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.prepare()
    authority.issue(["a.example"])
    keys = list(tmp_path.rglob("*.key"))
    assert len(keys) == 2
    assert all(path.stat().st_mode & 0o077 == 0 for path in keys)


def test_a_broken_authority_is_made_again(tmp_path: Path) -> None:
    first = Authority(tmp_path)
    first.prepare()
    old = first.issue(["a.example"])
    (tmp_path / "ca.key").write_text("nothing")
    again = Authority(tmp_path)
    new = again.issue(["a.example"])
    assert new.chain != old.chain
    leaf = x509.load_pem_x509_certificate(new.chain.read_bytes())
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(again.certificate.read_bytes()))


def test_a_managed_certificate_has_a_pair_once_it_is_active(app: App, tmp_path: Path) -> None:
    managed = {"managed": {"domains": ["a.example"]}, "type": "MANAGED", "_issued": 0.0}
    app.state.store.put(f"{CLASSIC}/waiting", managed)
    app.state.store.put(f"{CLASSIC}/active", {**managed, "_active": True})
    issued = {"name": "projects/p/locations/global/certificates/new", "_issued": True}
    app.state.store.put(f"{MANAGER}/new", {**issued, "managed": {"domains": ["b.example"]}})
    found = certificates(app, tmp_path)
    pairs = found.pairs()
    assert set(pairs) == {
        "projects/p/global/sslCertificates/active",
        "projects/p/locations/global/certificates/new",
    }
    assert names(pairs["projects/p/locations/global/certificates/new"].chain) == ["b.example"]
    assert found.has_pending


def test_what_google_is_issuing_is_told_and_not_served(app: App, tmp_path: Path) -> None:
    app.state.issuance = 600
    managed = {"managed": {"domains": []}, "type": "MANAGED", "_issued": 0.0}
    app.state.store.put(f"{CLASSIC}/classic", managed)
    proven = {"name": "projects/p/locations/global/certificates/new", "_proven": time.time()}
    app.state.store.put(f"{MANAGER}/new", {**proven, "managed": {"domains": ["b.example"]}})
    found = certificates(app, tmp_path)
    assert found.pairs() == {}
    assert set(found.issuing) == {"classic"}
    assert found.issuing["classic"] > time.time() + 500


def test_two_certificates_of_the_same_domains_differ(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    old, new = (authority.issue(["a.example"], name) for name in ("old", "new"))
    assert old.chain.read_bytes() != new.chain.read_bytes()
    assert authority.issue(["a.example"], "old") == old


def test_a_self_managed_certificate_is_served_with_its_own_key(app: App, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    (tmp_path / "other").mkdir()
    own = other.issue(["own.example"])
    chain, key = own.chain.read_text(), own.key.read_text()
    assert app.state.private_keys is not None
    app.state.private_keys.keep(chain, key)
    app.state.store.put(f"{CLASSIC}/own", {"type": "SELF_MANAGED", "certificate": chain})
    unknown = other.issue(["unknown.example"]).chain.read_text()
    app.state.store.put(f"{CLASSIC}/unknown", {"type": "SELF_MANAGED", "certificate": unknown})
    app.state.store.put(f"{MANAGER}/own", {"selfManaged": {}, "pemCertificate": chain})
    found = certificates(app, tmp_path)
    pairs = found.pairs()
    assert set(pairs) == {
        "projects/p/global/sslCertificates/own",
        "projects/p/locations/global/certificates/own",
    }
    pair = pairs["projects/p/global/sslCertificates/own"]
    assert (pair.chain.read_text(), pair.key.read_text()) == (chain, key)
    assert pair.key.stat().st_mode & 0o077 == 0
    assert not found.has_pending


def test_the_apis_keep_a_key_for_the_load_balancer_alone(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    cloud = Cloud()
    try:
        cloud.app.state.private_keys = PrivateKeys(tmp_path / "keys")
        own, managers = (other.issue([domain]) for domain in ("own.example", "manager.example"))
        body = {"name": "own", "certificate": own.chain.read_text()}
        cloud.compute("POST", "global/sslCertificates", {**body, "privateKey": own.key.read_text()})
        texts = {"pemCertificate": managers.chain.read_text()}
        cloud.call(
            "POST",
            "/certificatemanager/v1/projects/p/locations/global/certificates?certificateId=own",
            {"selfManaged": {**texts, "pemPrivateKey": managers.key.read_text()}},
        )
        pairs = certificates(cloud.app, tmp_path).pairs()
        assert len(pairs) == 2
        found = {pair.key.read_text() for pair in pairs.values()}
        assert found == {own.key.read_text(), managers.key.read_text()}
    finally:
        cloud.close()
