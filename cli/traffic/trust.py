"""Which certificates a caller of an environment trusts, beside those of its machine.

A self-managed certificate may come from an authority that only its owner's machines know, a
company's own. The environment declares its chain, so the last certificate of that chain stands for
the authority: the others must lead to it, and names and dates are verified as ever.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


def anchors(certificates: Iterable[Mapping[str, Any]]) -> str:
    """The last certificate in PEM of each chain that these certificates declare.

    Certificates of Google's declare none. A chain that is no PEM, or is encrypted, adds nothing.
    """
    chains = (one.get("certificate") for one in certificates)
    last = [_CERTIFICATE.findall(chain)[-1:] for chain in chains if isinstance(chain, str)]
    return "".join(f"{pem}\n" for found in last for pem in found)


def context(cacert: str | None, more: str) -> ssl.SSLContext:
    """The TLS context of a caller: the authorities of `cacert`, else the machine's, and `more`.

    Raises `OSError` where `cacert` cannot be read, and `ValueError` where `more` is no PEM.
    """
    made = ssl.create_default_context(cafile=cacert)
    if more:
        try:
            made.load_verify_locations(cadata=more)
        except ssl.SSLError as error:
            reason = "a self-managed certificate of the environment is not valid"
            raise ValueError(f"{reason}: {error.reason}") from None
        # An intermediate certificate is an authority here, whoever has signed it.
        made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return made


def roots(cacert: str | None, more: str) -> bytes | None:
    """The same authorities in PEM; None for those that a library has of its own.

    Raises as `context` does.
    """
    if cacert is None and not more:
        return None
    made = context(cacert, more)
    if cacert is not None:
        return f"{Path(cacert).read_text()}\n{more}".encode()
    known = made.get_ca_certs(binary_form=True)
    return ("".join(ssl.DER_cert_to_PEM_cert(one) for one in known) + more).encode()
