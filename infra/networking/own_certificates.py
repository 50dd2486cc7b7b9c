"""Self-managed certificates: checks that certificate, private key and domains match.

The key is never stored, logged or shown in a message.
"""

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from gkeplatform.errors import PlatformError
from gkeplatform.hosts import covers
from infra.networking.tls import OwnCertificate

KEY = "gke-networking:private_keys"


def how_to_set(name: str) -> str:
    """The command that writes an encrypted key into the stack file."""
    return (
        f"in infra/networking run `pulumi config set --secret --path '{KEY}.{name}' < {name}.key`"
    )


def require_encryption(private_keys: dict[str, str], *, is_secret: bool) -> None:
    """`PlatformError` where the stack file has private keys as plain text."""
    if private_keys and not is_secret:
        name = min(private_keys)
        raise PlatformError(
            f"{KEY}: the private key of {name} is not encrypted; treat it as leaked: make a new "
            f"one, and {how_to_set(name)}"
        )


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
