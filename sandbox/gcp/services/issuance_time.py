"""How long Google takes to issue a managed certificate whose domains are proven, and its validity.

Google: "up to 60 minutes" for Compute Engine's, and issued certificates are valid for 90 days.
https://docs.cloud.google.com/load-balancing/docs/ssl-certificates/google-managed-certs
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from sandbox.gcp.service import State

_VALID = timedelta(days=90)


def is_over(state: State, since: float) -> bool:
    """Whether a certificate whose domains are proven since then is issued by now."""
    return time.time() >= since + state.issuance


def expiry(form: str) -> str:
    """When a certificate that is issued now expires."""
    return (datetime.now(UTC) + _VALID).strftime(form)
