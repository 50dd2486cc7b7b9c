"""The preloaded interpreter: imports the SDKs once, and forks a child for each order.

`python -u -c BOOT module sandbox.interpreter.server SOCKET`; the daemon starts and ends it, and the
kernel ends its children with it. It has one thread, and never makes a gRPC channel, so that it can
fork. What a child runs finds its modules as a fresh Python would: `state` refuses other orders. The
order of the imports differs, and modules that a program does not need are there.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import importlib
import os
import runpy
import selectors
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.interpreter import client
from sandbox.interpreter.state import Order, State, load

_PATIENCE_SECONDS = 5.0
_STREAMS = 3
_PR_SET_PDEATHSIG = 1


@dataclass(slots=True)
class _Fork:
    """A child: its process, and the connection of whoever asked for it."""

    pid: int
    ended: int
    """A descriptor that is readable once the process has ended."""
    connection: socket.socket

    def follow(self) -> bool:
        """Pass a signal on; False, and the child is killed, when the connection has closed."""
        try:
            numbers = self.connection.recv(1)
        except ConnectionError:
            numbers = b""
        for number in numbers:
            os.kill(self.pid, number)
        if not numbers:
            # What it has started as well; it may not have its group yet.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            os.kill(self.pid, signal.SIGKILL)
        return bool(numbers)

    def end(self) -> None:
        """Send the exit status."""
        _, code = os.waitpid(self.pid, 0)
        status = os.waitstatus_to_exitcode(code)
        with contextlib.suppress(OSError):
            self.connection.send(status.to_bytes(client.NUMBER, "big", signed=True))
        self.close()

    def close(self) -> None:
        """Forget it."""
        self.connection.close()
        os.close(self.ended)


@dataclass(slots=True)
class Server:
    """Answers orders on a socket. In each child `serve` returns."""

    state: State
    path: Path
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _forks: list[_Fork] = field(default_factory=list)
    _is_stale: bool = False

    def serve(self) -> Order:
        """Return in a child, with its order; the interpreter's own process stays here."""
        with _listening(self.path) as listener:
            self._selector.register(listener, selectors.EVENT_READ)
            while True:
                if self._is_stale and not self._forks:
                    os.execv(sys.executable, sys.orig_argv)  # noqa: S606 (itself)
                for key, _ in self._selector.select():
                    fork: _Fork | None = key.data
                    if fork is None:
                        if order := self._answer(listener.accept()[0]):
                            return order
                    elif key.fileobj == fork.ended:
                        self._end(fork)
                        break  # the list may hold its connection, too
                    elif not fork.follow():
                        self._selector.unregister(fork.connection)

    def _answer(self, connection: socket.socket) -> Order | None:
        """Fork a child, in which the order is returned. A refused connection is closed."""
        with contextlib.ExitStack() as opened:
            opened.callback(connection.close)
            try:
                order = _receive(connection, opened)
            except (OSError, ValueError) as error:
                print(f"an order was not understood: {error}", file=sys.stderr)
                return None
            self._is_stale |= self.state.is_stale
            if self._is_stale:
                return None
            if reason := self.state.refusal(order):
                print(f"{order.name} is not run here: {reason}", file=sys.stderr)
                return None
            parent = os.getpid()
            if pid := os.fork():
                fork = _Fork(pid, os.pidfd_open(pid), connection.dup())
                self._forks.append(fork)
                self._selector.register(fork.ended, selectors.EVENT_READ, fork)
                self._selector.register(fork.connection, selectors.EVENT_READ, fork)
                with contextlib.suppress(OSError):
                    connection.send(client.STARTED)
                return None
            self._leave(parent, order)
            return order

    def _end(self, fork: _Fork) -> None:
        self._forks.remove(fork)
        self._selector.unregister(fork.ended)
        with contextlib.suppress(KeyError):
            self._selector.unregister(fork.connection)
        fork.end()

    def _leave(self, parent: int, order: Order) -> None:
        """Make a child of this process: it keeps nothing but the order's streams."""
        os.setpgid(0, 0)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        self._selector.close()
        for fork in self._forks:
            fork.close()
        for number, stream in enumerate(order.streams):
            os.dup2(stream, number)


def _receive(connection: socket.socket, opened: contextlib.ExitStack) -> Order:
    """Read an order; its descriptors are closed with `opened`. Raises OSError or ValueError."""
    connection.settimeout(_PATIENCE_SECONDS)
    head, streams, _, _ = socket.recv_fds(connection, client.NUMBER, _STREAMS)
    for stream in streams:
        opened.callback(os.close, stream)
    data = client.receive(connection, int.from_bytes(head, "big"))
    connection.settimeout(None)
    if len(streams) != _STREAMS:
        raise ValueError(f"{len(streams)} streams")
    return Order.of(data, streams)


def _listening(path: Path) -> socket.socket:
    """A listening socket at a path of any length, for this user only."""
    path.unlink(missing_ok=True)
    os.chdir(path.parent)
    listener = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)
    listener.bind(path.name)
    os.umask(mask)
    listener.listen(64)
    return listener


def run(order: Order, state: State, bytecode: Path) -> None:
    """Run an order in this process, as a Python of its own would.

    Where the variables keep bytecode out of the checkout, that of our modules is kept in
    `bytecode`: to compile them is a third of the time to import them.
    """
    os.chdir(order.folder)
    os.environ.clear()
    os.environ.update(order.environment)
    sys.path[:] = state.path_for(order)
    sys.argv = [order.name, *order.arguments]
    sys.orig_argv[:] = [order.python, *sys.orig_argv[1:3], order.kind, *sys.argv]
    for name in [name for name in sys.modules if name.partition(".")[0] == "sandbox"]:
        del sys.modules[name]
    importlib.invalidate_caches()
    if sys.dont_write_bytecode and sys.pycache_prefix is None:
        sys.dont_write_bytecode, sys.pycache_prefix = False, str(bytecode)
    if order.kind == "module":
        runpy.run_module(order.name, run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(order.name, run_name="__main__")


class _Exit:
    """Ends a child after all of its exit handlers, and does not take its modules apart.

    That would copy all of the memory that the child shares, which takes longer than most programs.
    """

    def __init__(self) -> None:
        self.status = 1
        # Handlers run in the reverse order: those of the modules come before this one.
        atexit.register(self)

    def __call__(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(self.status)

    @contextlib.contextmanager
    def following(self) -> Iterator[None]:
        """Note the exit status as Python reads it from an exception."""
        try:
            yield
            self.status = 0
        except SystemExit as error:
            code = 0 if error.code is None else error.code
            self.status = code & 0xFF if isinstance(code, int) else 1
            raise


def main() -> None:
    """Import, answer, and run what a child has been asked for."""
    last = _Exit()
    state = load()
    path = Path(sys.argv[1])
    order = Server(state, path).serve()
    with last.following():
        run(order, state, path.parent / "bytecode")


if __name__ == "__main__":
    main()
