"""JSON Web Tokens signed with ES256 (RFC 7515, RFC 7518), as Identity-Aware Proxy signs them."""

from __future__ import annotations

import base64
import binascii
import hashlib
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from sandbox.home import write_private

_BYTES = 32  # of each half of a signature on P-256
_ALGORITHM = ec.ECDSA(hashes.SHA256())


class TokenError(ValueError):
    """Why a token is none of ours, in one phrase."""


class Signer:
    """A key in a file, made when it is first needed."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except (FileNotFoundError, ValueError):
            key = ec.generate_private_key(ec.SECP256R1())
            form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            write_private(path, key.private_bytes(*form).decode())
        assert isinstance(key, ec.EllipticCurvePrivateKey)  # noqa: S101 (nobody else writes it)
        self._key = key
        self.public_key = (
            key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        )
        """PEM."""
        self.key_id = hashlib.sha256(self.public_key.encode()).hexdigest()[:6]

    def sign(self, claims: dict[str, Any]) -> str:
        """The token of some claims."""
        header = {"alg": "ES256", "typ": "JWT", "kid": self.key_id}
        signed = f"{_encode(msgspec.json.encode(header))}.{_encode(msgspec.json.encode(claims))}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), _ALGORITHM))
        return f"{signed}.{_encode(r.to_bytes(_BYTES) + s.to_bytes(_BYTES))}"

    def claims(self, token: str) -> dict[str, Any]:
        """The claims of a token that this key has signed. Raises TokenError."""
        signed, _, signature = token.rpartition(".")
        try:
            raw = _decode(signature)
            claims = msgspec.json.decode(_decode(signed.partition(".")[2]), type=dict[str, Any])
        except (ValueError, binascii.Error, msgspec.MsgspecError):
            raise TokenError("Unable to parse JWT") from None
        halves = int.from_bytes(raw[:_BYTES]), int.from_bytes(raw[_BYTES:])
        try:
            self._key.public_key().verify(
                encode_dss_signature(*halves), signed.encode(), _ALGORITHM
            )
        except InvalidSignature:
            raise TokenError("JWT signature is invalid") from None
        return claims


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
