"""Free ports for a control plane's components."""

from __future__ import annotations

import itertools
import random
import socket
from collections.abc import Collection, Mapping

PORTS = (
    "api",
    "etcd",
    "etcd-peer",
    "kube-controller-manager",
    "kube-scheduler",
    "kwok-controller",
    "metrics-server",
    "service-proxy",
)
# Below the kernel's ephemeral range (32768 and up), so that a cluster's ports are probably still
# free when it is started again later.
_FIRST, _LAST = 20_000, 29_999
_TRIES = 100


def is_free(port: int) -> bool:
    """Whether no process listens on the port, on loopback or on any address."""
    for address in ("127.0.0.1", "0.0.0.0"):  # noqa: S104
        with socket.socket() as probe:
            # Like Go's listeners: a port in TIME_WAIT counts as free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


def free_port() -> int:
    """A port of this machine that no process listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def choose(wanted: Mapping[str, int] | None = None) -> dict[str, int]:
    """Return a free port per component: the wanted one if it is free, else another.

    The search starts at a random port, so that parallel sandboxes rarely choose the same one.
    """
    chosen = {
        name: port for name, port in (wanted or {}).items() if name in PORTS and is_free(port)
    }
    candidates = iter(random.sample(range(_FIRST, _LAST), _LAST - _FIRST))
    for name in PORTS:
        if name not in chosen:
            taken = set(chosen.values())
            chosen[name] = next(port for port in candidates if port not in taken and is_free(port))
    return {name: chosen[name] for name in PORTS}


def any_free(taken: Collection[int] = ()) -> int:
    """Return a free port that is not among `taken`. Raises OSError if there is none."""
    tries = (random.randint(_FIRST, _LAST) for _ in range(_TRIES))  # noqa: S311 (no secret)
    for port in itertools.chain(tries, range(_FIRST, _LAST)):
        if port not in taken and is_free(port):
            return port
    raise OSError(f"no port from {_FIRST} to {_LAST} is free")
