"""A Pulumi language host for Python, used where `pulumi-language-python` is not installed.

The engine starts one per run and talks `pulumirpc.LanguageRuntime` to it. It runs a program (or a
policy pack) in the virtual environment of its `Pulumi.yaml`, through the executor script of the
engine's version. It neither creates virtual environments nor generates code.

Usage: `language_host.py <executor script> <interpreter's socket, or ""> [engine address]`. It
prints its port, as the engine expects. Program and host end when the engine ends or is killed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

from facts import configuration_size
from sandbox.interpreter import client
from sandbox.protocol import modules, serve_until_the_engine_ends

language_pb2, language_pb2_grpc, plugin_pb2, engine_pb2, engine_pb2_grpc, empty_pb2 = (
    *modules("language_pb2", "language_pb2_grpc", "plugin_pb2", "engine_pb2", "engine_pb2_grpc"),
    __import__("google.protobuf.empty_pb2", fromlist=["Empty"]),
)

# The executor's exit code after it has shown the error to the user itself.
_SHOWN_ALREADY = 32
_GRPC_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]


_Child = subprocess.Popen[bytes] | client.Child


def _python(info: Any) -> str:
    """The Python that a project's `virtualenv` option names, else the host's own."""
    options = dict(info.options) if info.HasField("options") else {}
    virtualenv = options.get("virtualenv")
    if not virtualenv:
        return sys.executable
    python = Path(info.root_directory, str(virtualenv), "bin", "python")
    if not python.exists():
        raise FileNotFoundError(
            f"{Path(info.root_directory) / 'Pulumi.yaml'}: runtime.options.virtualenv: "
            f"no Python at {python}; run ./platformctl once to make it"
        )
    return os.path.normpath(python)


def _site_packages(python: str) -> list[Path]:
    return sorted(Path(python).parent.parent.glob("lib/python3.*/site-packages"))


def _file(stack: str | None) -> str:
    """The stack file of a stack, for messages."""
    return f"stacks/Pulumi.{(stack or '<environment>').partition('.')[0]}.yaml"


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):  # type: ignore[misc, name-defined]
    """`pulumirpc.LanguageRuntime` for Python. Fields and meanings are those of language.proto."""

    def __init__(self, executor: str, interpreter: str, engine: str) -> None:
        self._executor = executor
        self._interpreter = interpreter
        self._engine = engine
        self._children: set[_Child] = set()
        self._cancelled = False

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Receive the engine's address."""
        self._engine = request.engine_address
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Return the host's version: that of the SDK."""
        return plugin_pb2.PluginInfo(version="1.0.0")

    def About(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Return the Python that runs the programs."""
        python = self._checked(lambda: _python(request.info), context)
        version = subprocess.run([python, "--version"], capture_output=True, text=True, check=False)
        return language_pb2.AboutResponse(
            executable=python, version=version.stdout.removeprefix("Python ").strip()
        )

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:  # noqa: N802
        """List the resource plugins of the installed SDK packages."""
        python = self._checked(lambda: _python(request.info), context)
        found = language_pb2.GetRequiredPackagesResponse()
        for folder in _site_packages(python):
            for description in sorted(folder.glob("pulumi_*/pulumi-plugin.json")):
                plugin = json.loads(description.read_text())
                if not plugin.get("resource"):
                    continue
                found.packages.add(
                    name=plugin["name"],
                    version="v" + plugin["version"].removeprefix("v"),
                    kind="resource",
                    server=plugin.get("server", ""),
                )
        return found

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:  # noqa: N802
        """List the installed distributions, for `pulumi about`."""
        python = self._checked(lambda: _python(request.info), context)
        found = language_pb2.GetProgramDependenciesResponse()
        for folder in _site_packages(python):
            for distribution in sorted(folder.glob("*.dist-info")):
                name, _, version = distribution.stem.partition("-")
                found.dependencies.add(name=name, version=version)
        return found

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        """Check that the virtual environment exists; `./platformctl` creates it."""
        python = self._checked(lambda: _python(request.info), context)
        text = f"dependencies are those of {python}\n"
        yield language_pb2.InstallDependenciesResponse(stdout=text.encode())

    def Run(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Run a program to its end. Config and secrets are passed in the environment."""
        python = self._checked(lambda: _python(request.info), context)
        arguments = [
            "--project", request.project, "--stack", request.stack,
            "--parallel", str(request.parallel), "--dry_run", str(request.dryRun).lower(),
            "--pwd", request.pwd, "--monitor", request.monitor_address, "--engine", self._engine,
            "--organization", request.organization, "--root_directory", request.info.root_directory,
            os.path.normpath(Path(request.info.program_directory, request.info.entry_point)),
            *request.args,
        ]  # fmt: skip
        config = dict(request.config)
        if problem := configuration_size.problem(config, file=_file(request.stack)):
            self._log(problem)
            return language_pb2.RunResponse(bail=True)
        environment = os.environ | {
            configuration_size.VARIABLE: configuration_size.encoded(config),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
        }
        # The program inherits the host's streams, which the engine shows.
        child = self._start(
            python, "script", self._executor, arguments, request.pwd, environment, [1, 2]
        )
        code = child.wait()
        self._children.discard(child)
        if code == 0:
            return language_pb2.RunResponse()
        if code == _SHOWN_ALREADY or self._cancelled:
            return language_pb2.RunResponse(bail=True)
        reason = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return language_pb2.RunResponse(error=f"the program ended with {reason}")

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        """Run a plugin written in Python, such as a policy pack, and forward its output."""
        python = self._checked(lambda: _python(request.info), context)
        program = request.info.program_directory or request.program
        kind, name, arguments = "script", program, list(request.args)
        if request.kind == "analyzer":
            # The SDK's runner takes the engine's address and the pack's folder.
            kind, name, arguments = "module", "pulumi.policy", [*arguments[:1], program]
        environment = dict(pair.split("=", 1) for pair in request.env) or dict(os.environ)
        self._check_size(environment, context)
        out, err = os.pipe(), os.pipe()
        try:
            child = self._start(
                python, kind, name, arguments, request.pwd, environment, [out[1], err[1]]
            )
        except OSError:
            os.close(out[0])
            os.close(err[0])
            raise
        finally:
            os.close(out[1])
            os.close(err[1])
        context.add_callback(child.kill)
        for stream, data in _chunks({"stdout": out[0], "stderr": err[0]}):
            yield language_pb2.RunPluginResponse(**{stream: data})
        self._children.discard(child)
        yield language_pb2.RunPluginResponse(exitcode=child.wait())

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """End the program with SIGTERM: on SIGINT, Python would print a traceback."""
        self._cancelled = True
        for child in list(self._children):
            child.terminate()
        return empty_pb2.Empty()

    def end(self) -> None:
        """Kill all running children."""
        for child in list(self._children):
            child.kill()

    def _log(self, message: str) -> None:
        """Show an error of the host as one of the program's."""
        with grpc.insecure_channel(self._engine) as channel:
            engine_pb2_grpc.EngineStub(channel).Log(
                engine_pb2.LogRequest(severity=engine_pb2.ERROR, message=message)
            )

    def _start(  # noqa: PLR0917 (what a process has)
        self,
        python: str,
        kind: str,
        name: str,
        arguments: list[str],
        folder: str,
        environment: dict[str, str],
        output: list[int],
    ) -> _Child:
        """Run a module or a script, with descriptors for its output and errors."""
        folder = folder or str(Path.cwd())
        child: _Child | None = None
        if self._interpreter:
            with Path(os.devnull).open() as nothing:
                child = client.start(
                    self._interpreter, kind, name, arguments, python=python, folder=folder,
                    environment=environment, streams=[nothing.fileno(), *output],
                )  # fmt: skip
        if child is None:
            child = subprocess.Popen(
                [python, "-u", "-c", client.BOOT, kind, name, *arguments],
                cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                stdout=output[0], stderr=output[1],
            )  # fmt: skip
        self._children.add(child)
        return child

    @staticmethod
    def _check_size(environment: Mapping[str, str], context: Any) -> None:
        """End the call where the engine's variables hold more configuration than fits."""
        config = environment.get(configuration_size.VARIABLE)
        if config is None or len(config.encode()) <= configuration_size.LIMIT:
            return
        stack = environment.get("PULUMI_STACK")
        if problem := configuration_size.problem(json.loads(config), file=_file(stack)):
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, problem)

    @staticmethod
    def _checked(resolve: Any, context: Any) -> str:
        try:
            return str(resolve())
        except OSError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
            raise


def _chunks(streams: Mapping[str, int]) -> Iterator[tuple[str, bytes]]:
    """What is written to the named descriptors, as it is written. It closes them."""
    import selectors  # noqa: PLC0415 (only plugins need it)

    with selectors.DefaultSelector() as selector:
        for name, descriptor in streams.items():
            selector.register(descriptor, selectors.EVENT_READ, name)
        while selector.get_map():
            for key, _ in selector.select():
                data = os.read(key.fd, 65536)
                if data:
                    yield key.data, data
                else:
                    selector.unregister(key.fileobj)
                    os.close(key.fd)


def serve(executor: str, interpreter: str, engine: str = "") -> None:
    """Serve on a free port, printed on stdout, until the engine ends."""
    host = LanguageHost(executor, interpreter, engine)
    server = grpc.server(ThreadPoolExecutor(max_workers=16), options=_GRPC_OPTIONS)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)

    def start() -> int:
        port = int(server.add_insecure_port("127.0.0.1:0"))
        server.start()
        return port

    serve_until_the_engine_ends(start)
    host.end()
    server.stop(0)
    os._exit(0)  # pool threads may still wait for a dead child


if __name__ == "__main__":
    serve(*sys.argv[1:4])
