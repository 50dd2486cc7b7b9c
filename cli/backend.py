"""The backend that holds the stacks: which failures of Pulumi say that it cannot be reached."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cli.errors import CliError, Exit

_CREDENTIALS = re.compile(
    r"PULUMI_ACCESS_TOKEN must be set|missing google credentials|could not find default credentials"
    r"|get credentials|Invalid access token|\[401\]|\[403\]|Unauthorized|AccessDenied"
    r"|invalid_grant|oauth2: ",
)
_UNREACHABLE = re.compile(
    r"unable to open bucket|performing HTTP request|problem logging in|\.pulumi/meta\.yaml"
    r"|could not connect|connection refused|no such host|i/o timeout"
    r"|could not determine current backend|Client\.Timeout|network is unreachable"
    r"|bucket doesn't exist",
)


def failure(reason: str, environment: Mapping[str, str]) -> CliError | None:
    """The error for a backend that cannot be reached; None for another reason.

    `reason` is what a Pulumi command said before it began with a stack.
    """
    url = environment.get("PULUMI_BACKEND_URL")
    named = f"the backend {_shown(url)}" if url else "the backend of `pulumi login`"
    line = " ".join(reason.split())
    if _CREDENTIALS.search(reason):
        return CliError(
            f"{named} takes no request without credentials: {line}",
            "gs://: `gcloud auth application-default login`; Pulumi Cloud: PULUMI_ACCESS_TOKEN or "
            "`pulumi login`; another backend: PULUMI_BACKEND_URL. Nothing was changed",
            Exit.AUTHENTICATION,
        )
    if _UNREACHABLE.search(reason):
        return CliError(
            f"{named} cannot be reached: {line}",
            "correct PULUMI_BACKEND_URL, or `pulumi login URL`; a folder of file:// must exist. "
            "Nothing was changed",
        )
    return None


def _shown(url: str) -> str:
    """The address without a password."""
    return re.sub(r"://[^/@]+@", "://…@", url)
