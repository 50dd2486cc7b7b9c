"""The sandbox's certificate authority, in place of the one that Google's managed certificates have.

`ca.pem` is what a caller trusts (`curl --cacert`). Nothing else on the machine trusts it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sandbox.home import write_private
from sandbox.traffic.load_balancer.surroundings import KeyPair
from sandbox.traffic.runtime.frontends import CA

_CA_DAYS, _DAYS, _LEFT_DAYS = 3650, 90, 30
_CLOCK_SKEW = timedelta(hours=1)


class Authority:
    """The authority of one home; its key and the certificates' keys stay below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.certificate = folder / CA
        """The file that callers trust."""
        self._key_file = folder / "ca.key"
        self._issued = folder / "certificates"
        self._loaded: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None

    def prepare(self) -> None:
        """Make the authority if there is none, or if it has expired. Raises OSError."""
        self._issued.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            key = load_pem_private_key(self._key_file.read_bytes(), password=None)
            authority = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        except (FileNotFoundError, ValueError):
            self._loaded = self._make()
            return
        if (
            isinstance(key, ec.EllipticCurvePrivateKey)
            and key.public_key() == authority.public_key()
            and _lasts(authority)
        ):
            self._loaded = authority, key
        else:
            self._loaded = self._make()

    def issue(self, domains: Sequence[str], resource: str = "") -> KeyPair:
        """The certificate of some domains, wildcards included; issued again before it expires.

        Each `resource` gets its own, with the same domains too.
        """
        if self._loaded is None:
            self.prepare()
        assert self._loaded is not None  # noqa: S101 (`prepare` sets it)
        authority, signer = self._loaded
        serial = f"{authority.serial_number}/{resource}/{'/'.join(domains)}"
        name = hashlib.sha256(serial.encode()).hexdigest()[:32]
        pair = KeyPair(self._issued / f"{name}.pem", self._issued / f"{name}.key")
        if _is_kept(pair):
            return pair
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        leaf = (
            x509.CertificateBuilder()
            # A common name has at most 64 characters; clients read the alternative names.
            .subject_name(_name(domains[0][:64]))
            .issuer_name(authority.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _CLOCK_SKEW)
            .not_valid_after(now + timedelta(days=_DAYS))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(d) for d in domains]), False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False
            )
            .sign(signer, hashes.SHA256())
        )
        write_private(pair.key, _pem(key))
        write_private(pair.chain, leaf.public_bytes(Encoding.PEM).decode())
        return pair

    def _make(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        name = _name("gke-platform sandbox")
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
            key_encipherment=False, data_encipherment=False, key_agreement=False,
            encipher_only=False, decipher_only=False,
        )  # fmt: skip
        authority = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _CLOCK_SKEW)
            .not_valid_after(now + timedelta(days=_CA_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
            .add_extension(usage, True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .sign(key, hashes.SHA256())
        )
        write_private(self._key_file, _pem(key))
        write_private(self.certificate, authority.public_bytes(Encoding.PEM).decode())
        return authority, key


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _lasts(certificate: x509.Certificate) -> bool:
    return certificate.not_valid_after_utc > datetime.now(UTC) + timedelta(days=_LEFT_DAYS)


def _is_kept(pair: KeyPair) -> bool:
    try:
        return pair.key.is_file() and _lasts(
            x509.load_pem_x509_certificate(pair.chain.read_bytes())
        )
    except (FileNotFoundError, ValueError):
        return False
