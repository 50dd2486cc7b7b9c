"""How values are spelled in JSON: 64-bit integers as strings, enums as names or numbers.

What a client sends is brought into the form that the API shows. With `$alt=json;enum-encoding=int`,
as Google's newer Go clients ask, enums are numbers in both directions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.gcp.discovery import Document, Json

_INT64 = frozenset({"int64", "uint64"})
_INT32 = frozenset({"int32", "uint32"})
# Enums whose numbers do not count up in the order of the discovery document, from the service's
# protocol buffers: (first values of the enum) → their numbers.
_NUMBERS: dict[tuple[str, ...], dict[str, int]] = {
    # google.cloud.kms.v1.CryptoKey.CryptoKeyPurpose
    ("CRYPTO_KEY_PURPOSE_UNSPECIFIED", "ENCRYPT_DECRYPT"): {
        "ENCRYPT_DECRYPT": 1,
        "ASYMMETRIC_SIGN": 5,
        "ASYMMETRIC_DECRYPT": 6,
        "RAW_ENCRYPT_DECRYPT": 7,
        "MAC": 9,
        "KEY_ENCAPSULATION": 10,
    },
    # google.cloud.kms.v1.CryptoKeyVersion.CryptoKeyVersionState
    ("CRYPTO_KEY_VERSION_STATE_UNSPECIFIED", "PENDING_GENERATION"): {
        "PENDING_GENERATION": 5,
        "ENABLED": 1,
        "DISABLED": 2,
        "DESTROYED": 3,
        "DESTROY_SCHEDULED": 4,
        "PENDING_IMPORT": 6,
        "IMPORT_FAILED": 7,
        "GENERATION_FAILED": 8,
        "PENDING_EXTERNAL_DESTRUCTION": 9,
        "EXTERNAL_DESTRUCTION_FAILED": 10,
    },
    # google.cloud.kms.v1.CryptoKeyVersion.CryptoKeyVersionAlgorithm
    ("CRYPTO_KEY_VERSION_ALGORITHM_UNSPECIFIED", "GOOGLE_SYMMETRIC_ENCRYPTION"): {
        "GOOGLE_SYMMETRIC_ENCRYPTION": 1,
        "AES_128_GCM": 41,
        "AES_256_GCM": 19,
        "AES_128_CBC": 42,
        "AES_256_CBC": 43,
        "AES_128_CTR": 44,
        "AES_256_CTR": 45,
        "RSA_SIGN_PSS_2048_SHA256": 2,
        "RSA_SIGN_PSS_3072_SHA256": 3,
        "RSA_SIGN_PSS_4096_SHA256": 4,
        "RSA_SIGN_PSS_4096_SHA512": 15,
        "RSA_SIGN_PKCS1_2048_SHA256": 5,
        "RSA_SIGN_PKCS1_3072_SHA256": 6,
        "RSA_SIGN_PKCS1_4096_SHA256": 7,
        "RSA_SIGN_PKCS1_4096_SHA512": 16,
        "RSA_SIGN_RAW_PKCS1_2048": 28,
        "RSA_SIGN_RAW_PKCS1_3072": 29,
        "RSA_SIGN_RAW_PKCS1_4096": 30,
        "RSA_DECRYPT_OAEP_2048_SHA256": 8,
        "RSA_DECRYPT_OAEP_3072_SHA256": 9,
        "RSA_DECRYPT_OAEP_4096_SHA256": 10,
        "RSA_DECRYPT_OAEP_4096_SHA512": 17,
        "RSA_DECRYPT_OAEP_2048_SHA1": 37,
        "RSA_DECRYPT_OAEP_3072_SHA1": 38,
        "RSA_DECRYPT_OAEP_4096_SHA1": 39,
        "EC_SIGN_P256_SHA256": 12,
        "EC_SIGN_P384_SHA384": 13,
        "EC_SIGN_SECP256K1_SHA256": 31,
        "EC_SIGN_ED25519": 40,
        "HMAC_SHA256": 32,
        "HMAC_SHA1": 33,
        "HMAC_SHA384": 34,
        "HMAC_SHA512": 35,
        "HMAC_SHA224": 36,
        "EXTERNAL_SYMMETRIC_ENCRYPTION": 18,
    },
}


def asks_for_numbers(alt: str) -> bool:
    """Whether the query parameter `$alt` asks for enums as numbers."""
    return "enum-encoding=int" in alt


def received(document: Document, schema: str, body: Any) -> Any:
    """A checked request's body: integers as the API shows them, enums by name."""
    return _walked(document, schema, body, _received)


def with_names(document: Document, schema: str, body: Any) -> Any:
    """A request's body with the numbers of enums replaced by their names."""
    return _walked(document, schema, body, _named)


def with_numbers(document: Document, schema: str, body: Any) -> Any:
    """An answer with the names of enums replaced by their numbers."""
    return _walked(document, schema, body, _numbered)


def _received(described: Json, value: Any) -> Any:
    form = described.get("format")
    if isinstance(value, bool):
        return value
    if form in _INT64 and described.get("type") == "string" and isinstance(value, int | float):
        return str(int(value))
    if form in _INT32 and isinstance(value, str | float):
        return int(value)
    return value


def _named(described: Json, value: Any) -> Any:
    if "enum" in described and isinstance(value, int) and not isinstance(value, bool):
        return next((n for n, number in _numbers(described).items() if number == value), value)
    return value


def _numbered(described: Json, value: Any) -> Any:
    if "enum" in described and isinstance(value, str):
        return _numbers(described).get(value, value)
    return value


def _numbers(described: Json) -> dict[str, int]:
    names: list[str] = described["enum"]
    known = _NUMBERS.get(tuple(names[:2]))
    if known is not None:
        return {names[0]: 0} | known
    return {name: index for index, name in enumerate(names)}


def _walked(document: Document, schema: str, value: Any, change: Callable[[Json, Any], Any]) -> Any:
    described = document.schemas.get(schema)
    if described is None or not isinstance(value, dict):
        return value
    return _object(document, described, value, change)


def _object(
    document: Document, schema: Json, value: Json, change: Callable[[Json, Any], Any]
) -> Json:
    properties, extra = schema.get("properties", {}), schema.get("additionalProperties")
    return {
        key: _value(document, properties.get(key, extra), item, change)
        for key, item in value.items()
    }


def _value(
    document: Document, described: Json | None, value: Any, change: Callable[[Json, Any], Any]
) -> Any:
    if described is None:
        return value
    if "$ref" in described:
        return _walked(document, described["$ref"], value, change)
    if isinstance(value, list):
        return [_value(document, described.get("items"), item, change) for item in value]
    if isinstance(value, dict):
        return _object(document, described, value, change)
    return change(described, value)
