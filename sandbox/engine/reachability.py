"""Which hosts can be reached: each is asked once, and what fails is remembered for an hour.

All that any tool needs are asked at once, so a machine without internet waits five seconds at most,
once, and not for each tool. Any answer counts, of whatever status; what it says is the download's
matter.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Iterable
from urllib.parse import urlsplit

import httpx

from sandbox.engine import cache
from sandbox.engine.transfer import authorities, is_untrusted

_SECONDS = 4.0
_REMEMBERED_SECONDS = 3600.0
_FILE = "unreachable-hosts.json"
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
# Hosts of `releases` and of Pulumi's installer. One that is not here is asked when it is needed.
_PUBLIC: tuple[str, ...] = (
    "https://dl.k8s.io",
    "https://get.pulumi.com",
    "https://ghcr.io",
    "https://github.com",
    "https://registry.k8s.io",
)
_reached: set[str] = set()
_asking = threading.Lock()


def unreachable(urls: Iterable[str], *, again: bool = False) -> str | None:
    """The first origin (`https://host`) of the addresses that cannot be reached; None if all can.

    `again` asks also those that failed within the last hour.
    """
    origins = dict.fromkeys(_origin(url) for url in urls)
    with _asking:
        known = {} if again else _remembered()
        for origin in origins:
            if origin in known:
                return origin
        new = [origin for origin in origins if origin not in _reached]
        if not new:
            return None
        others = [one for one in _PUBLIC if one not in _reached and one not in (*known, *new)]
        failed = _ask([*new, *others])
        _remember(known, failed)
    return next((origin for origin in origins if origin in failed), None)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}"


def _ask(origins: list[str]) -> set[str]:
    answered: set[str] = set()
    trusted = authorities()

    def ask(origin: str) -> None:
        try:
            httpx.head(f"{origin}/", timeout=_SECONDS, verify=trusted)
        except httpx.InvalidURL:
            return
        except httpx.HTTPError as error:
            if not is_untrusted(error):  # that the download says
                return
        answered.add(origin)

    # Daemons: looking up a name has no timeout, and must not hold the process.
    threads = [threading.Thread(target=ask, args=(one,), daemon=True) for one in origins]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + _SECONDS + 1
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    found = set(answered)
    _reached.update(found)
    return set(origins) - found


def _remembered() -> dict[str, float]:
    try:
        text = json.loads((cache.directory() / _FILE).read_text())
        if text["network"] != _network():
            return {}
        now = time.time()
        return {k: at for k, at in text["hosts"].items() if 0 <= now - at < _REMEMBERED_SECONDS}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _remember(known: dict[str, float], failed: set[str]) -> None:
    if not failed:
        return
    hosts = {**known, **dict.fromkeys(failed, time.time())}
    file = cache.directory() / _FILE
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps({"network": _network(), "hosts": hosts}))
        partial.replace(file)
    except OSError:
        partial.unlink(missing_ok=True)  # it is asked again: nothing else is lost


def _network() -> str:
    """A digest of the proxies' addresses, which may hold passwords: with others we ask again."""
    given = [os.environ.get(name) or os.environ.get(name.lower()) for name in _PROXIES]
    return hashlib.sha256(repr(given).encode()).hexdigest()[:16]
