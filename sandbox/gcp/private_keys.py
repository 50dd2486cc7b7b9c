"""The private keys of self-managed certificates, as files that only their owner can read.

The APIs never return a key, and no document holds one. A file is named after the public key, so
that a certificate finds its key whatever resource holds it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sandbox.home import write_private


class PrivateKeys:
    """The keys in one folder, which is made when the first key comes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, certificate: str, key: str) -> None:
        """Write the key of a certificate; both are PEM. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(self._path(certificate), key)

    def find(self, certificate: str) -> Path | None:
        """The file with the key of a certificate; None where it was never kept.

        Raises ValueError for a text that holds no certificate.
        """
        path = self._path(certificate)
        return path if path.is_file() else None

    def _path(self, certificate: str) -> Path:
        leaf = x509.load_pem_x509_certificates(certificate.encode())[0]
        public = leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return self._folder / f"{hashlib.sha256(public).hexdigest()[:32]}.key"
