"""The caller's identity for Identity-Aware Proxy: an ID token, which no argument ever holds."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path

from cli.errors import CliError, Exit
from sandbox import lifecycle

_GCLOUD = "auth", "print-identity-token"
_PEOPLE = ("user:", "serviceAccount:")


def from_file(path: Path) -> str:
    """The token in a file. Raises CliError."""
    try:
        token = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(f"{path}: cannot be read: {error}", "", Exit.USAGE) from None
    if not token or any(one.isspace() for one in token):
        raise CliError(f"{path}: holds no ID token", "write one with gcloud", Exit.USAGE)
    return token


def from_gcloud(audience: str) -> str:
    """The ID token of the service account that gcloud is signed in as. Raises CliError.

    The tokens of people are for gcloud itself, and the proxy refuses them:
    https://docs.cloud.google.com/iap/docs/authentication-howto.
    """
    gcloud = shutil.which("gcloud")
    hint = (
        "let gcloud use a service account that the proxy admits (`gcloud config set "
        "auth/impersonate_service_account EMAIL`), or use --identity-token-file FILE"
    )
    if gcloud is None:
        raise CliError(
            "the model is behind Identity-Aware Proxy, and `gcloud` is not on the PATH",
            "install it, or use --identity-token-file FILE",
            Exit.AUTHENTICATION,
        )
    done = subprocess.run(
        [gcloud, *_GCLOUD, f"--audiences={audience}"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode or not done.stdout.strip():
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise CliError(f"`gcloud {' '.join(_GCLOUD)}`: {lines[-1]}", hint, Exit.AUTHENTICATION)
    return done.stdout.strip()


def caller(members: Iterable[str]) -> tuple[str, tuple[str, ...]] | None:
    """The e-mail address and groups of a caller whom the principals admit; None: not known.

    A person or a service account that is named, else somebody of a group or a domain.
    """
    named = sorted(members, key=lambda member: not member.startswith(_PEOPLE))
    for member in named:
        kind, _, value = member.partition(":")
        if member.startswith(_PEOPLE):
            return value, ()
        if kind == "group":
            return f"caller@{value.partition('@')[2]}", (value,)
        if kind == "domain":
            return f"caller@{value}", ()
    return None


def of_sandbox(email: str, audience: str, groups: Iterable[str] = ()) -> str:
    """An ID token of the sandbox for that caller. Raises CliError."""
    home = lifecycle.Home.default()
    found = lifecycle.status(home)
    request = urllib.request.Request(
        f"http://127.0.0.1:{found.port}/sandbox/v1/identities",
        data=json.dumps({"email": email, "audience": audience, "groups": list(groups)}).encode(),
        headers={
            "Authorization": f"Bearer {home.token.read_text().strip()}",
            "Content-Type": "application/json",
        },
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return str(json.load(answer)["idToken"])
    except (urllib.error.URLError, OSError, ValueError, KeyError) as error:
        reason = f"the sandbox gave no identity to {email}: {error}"
        raise CliError(reason, "`./platformctl sandbox stop`, and start it again") from None


def token(
    members: Iterable[str], host: str, *, real: bool, file: Path | None, email: str | None
) -> str:
    """The token for a model at `host` that these principals may call. Raises CliError."""
    audience = f"https://{host}"
    if file is not None:
        return from_file(file)
    if real:
        return from_gcloud(audience)
    known = tuple(members)
    who = (email, ()) if email else caller(known)
    if who is None:
        raise CliError(
            f"Identity-Aware Proxy admits {', '.join(known) or 'nobody that is known'}",
            "say who calls: --as EMAIL",
            Exit.USAGE,
        )
    address, groups = who
    return of_sandbox(address, audience, groups)
