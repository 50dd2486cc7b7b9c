"""What plugins and language hosts share: Pulumi's generated gRPC modules, and their end.

`import pulumi` takes about 0.2 s, and plugins and language hosts start several times per layer.
`modules()` imports the generated modules without the SDK's `__init__` files. Call it before
anything imports `pulumi`, in a process that runs no Pulumi program; if `pulumi` is imported
already, this is an ordinary import.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import signal
import sys
import threading
import types
from collections.abc import Callable
from pathlib import Path

_BARE = ("pulumi", "pulumi.runtime", "pulumi.runtime.proto")


def modules(*names: str) -> list[types.ModuleType]:
    """The generated modules called `names` (such as `provider_pb2`), imported.

    Raises ImportError, naming the package, where the SDK is not installed.
    """
    if "pulumi" not in sys.modules:
        _register_bare_packages()
    return [importlib.import_module(f"pulumi.runtime.proto.{name}") for name in names]


def _register_bare_packages() -> None:
    spec = importlib.util.find_spec("pulumi")
    if spec is None or spec.origin is None:
        raise ImportError("the package `pulumi` is not installed; run ./platformctl once")
    folder = Path(spec.origin).parent
    for name in _BARE:
        package = types.ModuleType(name)
        package.__path__ = [str(folder.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = package
    # The generated `*_pb2_grpc` modules import their siblings by this path.


def serve_until_the_engine_ends(start: Callable[[], int]) -> bool:
    """Print the port that `start` returns, and wait; whether the engine still runs at the end.

    The engine ends a plugin with SIGINT. A terminal's Ctrl-C does not arrive: plugins have a
    process group of their own, and the engine cancels them by a call.
    """
    # Read before the port is printed: the engine may end right after.
    parent = os.getppid()
    port = start()
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    print(port, flush=True)
    # Poll, because PR_SET_PDEATHSIG refers to the parent's thread, and a Go program's threads come
    # and go. A shell script that starts a plugin must `exec` it.
    while not done.wait(0.5) and os.getppid() == parent:
        pass
    return os.getppid() == parent
