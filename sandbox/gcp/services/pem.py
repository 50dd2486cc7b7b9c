"""Parsing of PEM certificates and private keys."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)


class PemError(ValueError):
    """An invalid PEM text; `what` is "certificate", "key", or "pair" where they do not match."""

    def __init__(self, what: str, message: str) -> None:
        super().__init__(message)
        self.what = what


@dataclass(frozen=True, slots=True)
class Parsed:
    """The fields of a certificate that the APIs show."""

    domains: tuple[str, ...]
    expires: str


def pair(certificate: str, key: str) -> Parsed:
    """Parse a certificate and check that `key` is its private key. Raises PemError."""
    try:
        leaf = x509.load_pem_x509_certificates(certificate.encode())[0]
    except (ValueError, IndexError):
        raise PemError("certificate", "The SSL certificate could not be parsed.") from None
    try:
        private = load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise PemError("key", "The SSL key could not be parsed.") from None
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if leaf.public_key().public_bytes(*form) != private.public_key().public_bytes(*form):
        raise PemError("pair", "The SSL certificate and the SSL key do not match.")
    return Parsed(_domains(leaf), leaf.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _domains(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(found.value.get_values_for_type(x509.DNSName))
