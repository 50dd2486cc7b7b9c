"""Asks the preloaded interpreter for a child that runs a module or a script.

`python -I -S client.py SOCKET MODULE ARGUMENT…` stands in for `python -m MODULE ARGUMENT…`: it
passes its streams, folder and variables on, forwards signals, and ends as the child does. Without
an interpreter it becomes that Python. It imports the standard library only, since a plugin's start
waits for it.

An order is one message: its length, and fields between NULs. The descriptors of the child's three
streams travel with it. The answer is STARTED, or the connection closes. Afterwards a byte to the
interpreter is a signal for the child, and its answer is the child's exit status, negative for a
signal. A connection that closes kills the child.
"""

import os
import signal
import socket
import sys

STARTED = b"+"
NUMBER = 8
"""Bytes of a number: an order's length, or an exit status."""
_SECONDS_TO_START = 10.0
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# The first code of every Python that the language host or the daemon starts: the kernel kills the
# child when its parent ends (PR_SET_PDEATHSIG). It is not a preexec_fn, because a process that uses
# gRPC cannot fork safely; without one, Python starts children by vfork.
BOOT = """
import runpy, sys
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(1, 9)
kind, name = sys.argv[1:3]
del sys.argv[1:3]
sys.path.pop(0)
sys.argv[0] = name
if kind == "module":
    runpy.run_module(name, run_name="__main__", alter_sys=True)
else:
    runpy.run_path(name, run_name="__main__")
"""


class Child:
    """A running child, with what the language host uses of `subprocess.Popen`."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.returncode: int | None = None

    def wait(self) -> int:
        """The exit status; that of a kill when the interpreter has ended with the child."""
        if self.returncode is None:
            self.returncode = status(receive(self._connection, NUMBER))
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, if the child is still there."""
        try:  # noqa: SIM105 (contextlib takes a stand-in milliseconds)
            self._connection.send(bytes([number]))
        except OSError:
            pass  # it has ended

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


def start(
    path: str,
    kind: str,
    name: str,
    arguments: list[str],
    *,
    folder: str,
    environment: dict[str, str],
    streams: list[int],
    python: str = sys.executable,
) -> Child | None:
    """A child of the interpreter at `path`; None where it does not answer, or refuses.

    `kind` is "module" or "script". `python` is the one that has to run it.
    """
    variables = [f"{key}={value}" for key, value in environment.items()]
    fields = [python, folder, kind, name, str(len(arguments)), *arguments, *variables]
    order = "\0".join(fields).encode(errors="surrogateescape")
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(_SECONDS_TO_START)
        _connect(connection, path)
        socket.send_fds(connection, [len(order).to_bytes(NUMBER, "big")], streams)
        connection.sendall(order)
        if connection.recv(len(STARTED)) == STARTED:
            connection.settimeout(None)
            return Child(connection)
    except OSError:
        pass  # none runs, it is busy with a change of its packages, or it was killed
    connection.close()
    return None


def receive(connection: socket.socket, size: int) -> bytes:
    """So many bytes; fewer where the connection closes."""
    data = b""
    while len(data) < size:
        try:
            part = connection.recv(size - len(data))
        except ConnectionError:
            break
        if not part:
            break
        data += part
    return data


def status(data: bytes) -> int:
    """The exit status that an interpreter has sent."""
    return int.from_bytes(data, "big", signed=True) if len(data) == NUMBER else -signal.SIGKILL


def _connect(connection: socket.socket, path: str) -> None:
    """Connect through the folder's descriptor: a socket's own path is limited to 107 bytes."""
    folder, name = os.path.split(path)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        connection.connect(f"/proc/self/fd/{descriptor}/{name}")
    finally:
        os.close(descriptor)


def main() -> None:
    """Stand in for a module, as above."""
    path, module, *arguments = sys.argv[1:]
    # Read first: the engine may end right after.
    parent = os.getppid()
    child = start(
        path,
        "module",
        module,
        arguments,
        folder=os.getcwd(),  # noqa: PTH109 (pathlib takes milliseconds)
        environment=dict(os.environ),
        streams=[0, 1, 2],
    )
    if child is None:
        os.execv(  # noqa: S606 (as the script would have)
            sys.executable, [sys.executable, "-m", module, *arguments]
        )
    for number in _FORWARDED:
        signal.signal(number, lambda number, _: child.send_signal(number))
    os._exit(_ended(child, parent))


def _ended(child: Child, parent: int) -> int:
    """Wait for the child, or for the end of the parent, with which the child ends as well."""
    connection = child._connection
    connection.settimeout(0.5)
    while True:
        try:
            code = status(receive(connection, NUMBER))
        except TimeoutError:
            if os.getppid() != parent:
                return 1
            continue
        if code < 0:
            signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
            os.kill(os.getpid(), -code)
        return code


if __name__ == "__main__":
    main()
