"""Gives Envoy the API keys of callers. Runs beside it.

Envoy's filter takes keys in its configuration alone. The routes are mounted from a ConfigMap, the
keys from a Secret; both are renewed by the kubelet about a minute after a change. This program
writes routes with keys to a file that Envoy watches, which therefore never restarts for a key.

A key that is missing, empty or another caller's is left out, and the log says so without the key:
one bad key does not keep the others from working.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PERIOD = 2.0
"""Seconds between two looks at the files."""
FILTER = "envoy.filters.http.api_key_auth"
SHORTEST = 16
"""Characters of a key; shorter ones are guessed."""
Json = Any


def credentials(callers: Sequence[Json], folder: Path) -> tuple[list[Json], list[str]]:
    """The credentials of the filter, and what is wrong with the keys that are left out."""
    found: dict[str, Json] = {}
    wrong = []
    for caller in callers:
        for name in caller["keys"]:
            try:
                key = (folder / name).read_text().strip()
            except (OSError, UnicodeDecodeError):
                wrong.append(f"{caller['name']}: the key {name} is missing")
                continue
            owner = found.get(key, {}).get("client", caller["name"])
            if len(key) < SHORTEST or not key.isascii() or not key.isprintable() or " " in key:
                wrong.append(
                    f"{caller['name']}: the key {name} is no key; it needs {SHORTEST} or more "
                    "printable ASCII characters without spaces"
                )
            elif owner != caller["name"]:
                wrong.append(f"{caller['name']}: the key {name} is that of {owner}, too")
            else:
                found[key] = {"key": key, "client": caller["name"]}
    return list(found.values()), wrong


def rendered(routes: Json, keys: list[Json]) -> str:
    """The routes with keys."""
    for resource in routes["resources"]:
        for host in resource["virtual_hosts"]:
            host["typed_per_filter_config"][FILTER]["credentials"] = keys
    return json.dumps(routes)


class Keys:
    """The file that Envoy watches."""

    def __init__(self, settings: Path, keys: Path, target: Path) -> None:
        self._settings = settings
        self._keys = keys
        self._target = target
        self._written = target.read_text() if target.exists() else ""
        self._wrong: list[str] = []

    def once(self) -> None:
        """Write the file if it differs, whole or not at all."""
        routes = json.loads((self._settings / "routes.json").read_text())
        callers = json.loads((self._settings / "callers.json").read_text())
        keys, wrong = credentials(callers, self._keys)
        for line in wrong if wrong != self._wrong else ():
            print(line, file=sys.stderr, flush=True)
        self._wrong = wrong
        text = rendered(routes, keys)
        if text == self._written:
            return
        part = self._target.with_suffix(".part")
        # As a new file each time: a rename is what Envoy notices.
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        part.replace(self._target)
        self._written = text
        print(f"{len(keys)} keys of {len(callers)} callers are valid", flush=True)


def main(words: Sequence[str] | None = None) -> int:
    """Follow the files until the pod ends."""
    parser = argparse.ArgumentParser(description="Give Envoy the API keys of callers.")
    parser.add_argument("--settings", type=Path, required=True, help="folder of the ConfigMap")
    parser.add_argument("--keys", type=Path, required=True, help="folder of the Secret")
    parser.add_argument("--target", type=Path, required=True, help="file that Envoy watches")
    parser.add_argument("--once", action="store_true", help="end after one look")
    given = parser.parse_args(words)
    keys = Keys(given.settings, given.keys, given.target)
    if given.once:
        keys.once()
        return 0
    # The first process of a container is not ended by a signal that it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        try:
            keys.once()
        except (OSError, ValueError, KeyError, TypeError) as error:
            print(f"caller keys: {error!r}", file=sys.stderr, flush=True)
        time.sleep(PERIOD)


if __name__ == "__main__":
    sys.exit(main())
