"""Certificates of one's own: whether certificate, key and domains belong together.

The key is looked at and never kept, shown or named in a message.
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
    """The command that puts a key into the stack file, encrypted."""
    return (
        f"in infra/networking run `pulumi config set --secret --path '{KEY}.{name}' < {name}.key`"
    )


def encrypted(private_keys: dict[str, str], *, is_secret: bool) -> None:
    """`PlatformError` where keys stand in the stack file for everybody to read."""
    if private_keys and not is_secret:
        name = min(private_keys)
        raise PlatformError(
            f"{KEY}: the private key of {name} is not encrypted; a key that stood in a file is "
            f"known, so make a new one, and {how_to_set(name)}"
        )


def problem(own: OwnCertificate, key: str) -> str | None:
    """Why Google, or browsers, would refuse it; None where nothing is wrong."""
    try:
        leaf = x509.load_pem_x509_certificates(own.certificate.encode())[0]
    except (ValueError, IndexError):
        return "it is not a certificate in PEM form, -----BEGIN CERTIFICATE----- and so on"
    try:
        private = load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return f"private_keys.{own.name} is not an unencrypted private key in PEM form"
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if leaf.public_key().public_bytes(*form) != private.public_key().public_bytes(*form):
        return f"private_keys.{own.name} is the key of another certificate"
    names = _names(leaf)
    for domain in own.domains:
        if not any(covers(name, domain) for name in names):
            return f'it is not valid for "{domain}"; it says {", ".join(names) or "no domain"}'
    return None


def _names(leaf: x509.Certificate) -> list[str]:
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return [name.lower() for name in found.value.get_values_for_type(x509.DNSName)]
