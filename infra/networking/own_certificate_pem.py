"""The PEM of a self-managed certificate: checks that certificate, private key and domains match.

The key is never stored, logged or shown in a message. Import this module where a certificate is
checked, not at the top: every program reads the networking layer's keys, and the cryptography
library takes longer to load than all of the configuration.
"""

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from gkeplatform.hosts import covers
from infra.networking.tls import OwnCertificate


def problem(own: OwnCertificate, key: str) -> str | None:
    """Why Google or browsers would refuse the certificate; None where it is valid."""
    try:
        leaf = x509.load_pem_x509_certificates(own.certificate.encode())[0]
    except (ValueError, IndexError):
        return "it is not a certificate in PEM, which begins with -----BEGIN CERTIFICATE-----"
    try:
        private = load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return f"private_keys.{own.name} is not an unencrypted private key in PEM"
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if leaf.public_key().public_bytes(*form) != private.public_key().public_bytes(*form):
        return f"private_keys.{own.name} is not the key of this certificate"
    names = _names(leaf)
    for domain in own.domains:
        if not any(covers(name, domain) for name in names):
            return f'it is not valid for "{domain}"; it is for {", ".join(names) or "no domain"}'
    return None


def _names(leaf: x509.Certificate) -> list[str]:
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return [name.lower() for name in found.value.get_values_for_type(x509.DNSName)]
