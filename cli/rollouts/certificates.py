"""Waits until Google has issued classic certificates that take over from others.

Both are on the load balancer meanwhile, so nothing is lost by a long wait, nor by ending it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cli.capacity.compute_api import ComputeApi, UnreadableError
from cli.errors import CliError, Exit

Json = dict[str, Any]
ACTIVE = "ACTIVE"
LONGEST = 3600.0
"""Seconds: Google says that it takes up to an hour once the domains are proven.

https://docs.cloud.google.com/load-balancing/docs/ssl-certificates/google-managed-certs
"""
LONGEST_FAILED = 60.0
"""Seconds that a domain may be FAILED, such as one without a record yet: a person is needed."""
_LOOKS = (0.5, 1.0, 2.0, 5.0, 10.0)  # seconds between looks; the last one for the rest


def wait(
    ids: Sequence[str],
    variables: Mapping[str, str],
    say: Callable[[str], None],
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Wait until all are ACTIVE. False where that takes too long: the former then serve on."""
    began = failed_since = clock()
    last, looks = "", 0
    while states := _states(ids, variables):
        now = "; ".join(f"{name} is {state}" for name, state in states.items())
        if "FAILED" not in now:
            failed_since = clock()
        if clock() - began > LONGEST or clock() - failed_since > LONGEST_FAILED:
            say(
                f"{now}: not waited for any longer; all else is deployed, and the former serves "
                "on. The domains must resolve to the load balancer (output `records` of this "
                "layer); run the same command again when they do"
            )
            return False
        if now != last:
            last = now
            say(f"waits until Google has issued the new certificate: {now}; the former serves on")
        sleep(_LOOKS[min(looks, len(_LOOKS) - 1)])
        looks += 1
    return True


def _states(ids: Sequence[str], variables: Mapping[str, str]) -> dict[str, str]:
    """The state of each that is not ACTIVE, by name, with the domains that Google cannot reach."""
    found = {}
    for one in ids:
        try:
            certificate = ComputeApi(variables, one.split("/")[1]).read(one)
        except UnreadableError as error:
            raise CliError(
                f"certificate {one.rpartition('/')[2]} cannot be read: {error}; all else is "
                "deployed, and the former certificate serves on",
                "run the same command again",
                Exit.RESOURCE,
            ) from None
        if (state := _state(certificate)) != ACTIVE:
            found[one.rpartition("/")[2]] = state
    return found


def _state(certificate: Json) -> str:
    managed = certificate.get("managed") or {}
    domains = managed.get("domainStatus") or {}
    failed = [f"{domain} {state}" for domain, state in domains.items() if "FAILED" in state]
    state = str(managed.get("status") or "absent")
    return f"{state} ({', '.join(failed)})" if failed else state
