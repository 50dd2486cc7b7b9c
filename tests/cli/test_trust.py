"""Callers trust the self-managed certificates that an environment declares, and no others."""

from __future__ import annotations

import datetime
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cli.errors import CliError
from cli.traffic import trust
from cli.traffic.exchange import Caller
from cli.traffic.grpc_call import GrpcCaller
from cli.traffic.target import Target

HOST = "models.acme.example"


class Pair(NamedTuple):
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()


def signed(name: str, issuer: Pair | None = None) -> Pair:
    """A certificate: a host's, or an authority's where the name has no dot."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    signer = issuer.key if issuer else key
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints("." not in name, None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False
        )
        .sign(signer, hashes.SHA256())
    )
    return Pair(made, key)


ROOT = signed("company")
INTERMEDIATE = signed("issuing", ROOT)
LEAF = signed(HOST, INTERMEDIATE)
CHAIN = LEAF.pem + INTERMEDIATE.pem
OWN = signed(HOST)


def key(pair: Pair) -> bytes:
    return pair.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def declared(*chains: str) -> str:
    return trust.anchors([{"kind": "self-managed", "certificate": chain} for chain in chains])


class Handler(BaseHTTPRequestHandler):
    """Answers everything."""

    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def https(folder: Path, chain: str, pair: Pair) -> Iterator[int]:
    (folder / "chain.pem").write_text(chain)
    (folder / "key.pem").write_bytes(key(pair))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # refused handshakes
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def target(port: int, authorities: str, folder: Path, host: str = HOST) -> Target:
    (folder / "ca.pem").write_text(signed("sandbox").pem)
    return Target(
        address="127.0.0.1", port=port, host=host, path="/a.B/C", encrypted=True,
        cacert=str(folder / "ca.pem"), authorities=authorities,
    )  # fmt: skip


@contextmanager
def grpcs(chain: str, pair: Pair) -> Iterator[int]:
    """A server without methods."""
    server = grpc.server(ThreadPoolExecutor(max_workers=1))
    credentials = grpc.ssl_server_credentials([(key(pair), chain.encode())])
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield port
    finally:
        server.stop(None)


SERVED = pytest.mark.parametrize(
    ("chain", "pair"), [(CHAIN, LEAF), (OWN.pem, OWN)], ids=["company", "itself"]
)


@SERVED
def test_a_request_trusts_what_has_signed_a_declared_certificate(
    tmp_path: Path, chain: str, pair: Pair
) -> None:
    with (
        https(tmp_path, chain, pair) as port,
        Caller(target(port, declared(chain), tmp_path), 5) as caller,
    ):
        assert caller.call(print).status == 204


def test_a_request_trusts_no_other_authority_and_no_other_host(tmp_path: Path) -> None:
    with https(tmp_path, CHAIN, LEAF) as port:
        refused = {
            "none": target(port, "", tmp_path),
            "another": target(port, declared(OWN.pem), tmp_path),
            "another host": target(port, declared(CHAIN), tmp_path, host="other.example"),
        }
        for why, one in refused.items():
            with (
                Caller(one, 5) as caller,
                pytest.raises(CliError, match="certificate is not valid") as raised,
            ):
                caller.call(print)
            assert "self-managed certificates of the stack file" in raised.value.hint, why


@SERVED
def test_a_grpc_call_trusts_what_has_signed_a_declared_certificate(
    tmp_path: Path, chain: str, pair: Pair
) -> None:
    with grpcs(chain, pair) as port:
        with GrpcCaller(target(port, declared(chain), tmp_path), 5) as caller:
            assert caller.call().status == 501
        with (
            GrpcCaller(target(port, declared(signed(HOST).pem), tmp_path), 5) as caller,
            pytest.raises(CliError, match="UNAVAILABLE"),
        ):
            caller.call()


def test_the_last_certificate_of_a_chain_is_the_authority() -> None:
    assert declared(CHAIN, OWN.pem).split() == (INTERMEDIATE.pem + OWN.pem).split()
    assert trust.anchors([{"kind": "google-managed", "domains": [HOST]}]) == ""
    assert trust.anchors([{"certificate": {"secure": "v1:x"}}, {"certificate": "no PEM"}]) == ""


def test_a_certificate_that_cannot_be_read_is_one_line() -> None:
    broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
    bad = Target(
        address="127.0.0.1", port=1, host=HOST, path="/", encrypted=True, authorities=broken
    )
    for caller in (Caller, GrpcCaller):
        with pytest.raises(CliError, match="self-managed certificate of the environment"):
            caller(bad, 5)
