"""Builds of pinned Go modules: a `go.mod` with `tool` directives becomes a folder of binaries.

The cache key covers go.mod, go.sum, the recipe and the platform: clones share a build, and a
changed pin builds again. It builds only the tool sets below.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.engine import cache, go
from sandbox.engine.errors import EngineError

Progress = Callable[[str], None]
_MODULES = Path(__file__).parent / "modules"
_SECONDS_BETWEEN_REPORTS = 10.0


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of a module's source: `old` occurs once in the file, and becomes `new`."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSet:
    """One `modules/<name>/go.mod` and what is built from it."""

    name: str
    """The folder below `modules/`, and the prefix of the cache entry's name."""
    minutes: str
    """Duration of a cold build on two cores, for the progress message."""
    tools: Mapping[str, str]
    """Binary name → Go package."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Linker variables: Go symbol → value; `{module path}` is replaced by its pinned version."""
    module_folders: Mapping[str, tuple[str, Sequence[str]]] = field(default_factory=dict)
    """Name → (module, sub-folders): module data that is copied beside the binaries."""
    embedded: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)
    """Module → files that are copied beside `main.go`, which embeds them.

    The cache key does not need them: `main.go` names them, and is part of it.
    """
    edits: Mapping[str, Sequence[Edit]] = field(default_factory=dict, repr=False)
    """Module → changes of its source."""
    tags: tuple[str, ...] = field(default=(), repr=False)
    """Go build tags."""


PULUMI = ToolSet(
    name="pulumi",
    minutes="3 to 4 minutes",
    tools={"pulumi": "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"},
    variables={
        "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": (
            "{github.com/pulumi/pulumi/pkg/v3}"
        )
    },
    # The script that runs a Python program must have the CLI's version.
    module_folders={"sdk": ("github.com/pulumi/pulumi/sdk/v3", ("python/cmd",))},
)

KUBERNETES = ToolSet(
    name="kubernetes",
    minutes="6 to 7 minutes",
    tools={
        **{
            name: f"k8s.io/kubernetes/cmd/{name}"
            for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
        },
        "kwok": "sigs.k8s.io/kwok/cmd/kwok",
        "kwokctl": "sigs.k8s.io/kwok/cmd/kwokctl",
        "metrics-server": "sigs.k8s.io/metrics-server/cmd/metrics-server",
        "etcd": "go.etcd.io/etcd/server/v3",
    },
    variables={
        "k8s.io/component-base/version.gitVersion": "{k8s.io/kubernetes}",
        "k8s.io/component-base/version.gitMajor": "1",
        "k8s.io/component-base/version.gitMinor": "36",
        "k8s.io/component-base/version.gitTreeState": "clean",
        "k8s.io/client-go/pkg/version.gitVersion": "{k8s.io/kubernetes}",
        "sigs.k8s.io/kwok/pkg/consts.Version": "{sigs.k8s.io/kwok}",
    },
    module_folders={
        "kwok": ("sigs.k8s.io/kwok", ("kustomize",)),
        "metrics-server": ("sigs.k8s.io/metrics-server", ("manifests",)),
    },
)

POSTGRES = ToolSet(
    name="postgres",
    minutes="1 minute",
    # A separate set: it needs an older Kubernetes client than the control plane.
    tools={"postgres-operator": "github.com/zalando/postgres-operator/cmd"},
    edits={
        "github.com/zalando/postgres-operator": (
            Edit(  # it has no setting for the address
                file="pkg/apiserver/apiserver.go",
                old='fmt.Sprintf(":%d", port)',
                new='fmt.Sprintf("127.0.0.1:%d", port)',
            ),
        )
    },
    variables={"main.version": "{github.com/zalando/postgres-operator}"},
)

KEDA = ToolSet(
    name="keda",
    minutes="20 to 25 minutes",
    # It has the clients of all clouds and brokers that it scales on: only rehearsals whose models
    # scale on metrics build it.
    tools={
        "keda": "github.com/kedacore/keda/v2/cmd/operator",
        "keda-adapter": "github.com/kedacore/keda/v2/cmd/adapter",
    },
    edits={
        "github.com/kedacore/keda/v2": (
            Edit(  # it has no setting for the address
                file="cmd/adapter/main.go",
                old='fmt.Sprintf(":%v", metricsAPIServerPort)',
                new='fmt.Sprintf("127.0.0.1:%v", metricsAPIServerPort)',
            ),
        )
    },
    variables={"github.com/kedacore/keda/v2/version.Version": "{github.com/kedacore/keda/v2}"},
)

PROMETHEUS = ToolSet(
    name="prometheus",
    minutes="2 minutes",
    tools={"prometheus": "github.com/prometheus/prometheus/cmd/prometheus"},
    variables={
        "github.com/prometheus/common/version.Version": "{github.com/prometheus/prometheus}"
    },
    # Targets come from files; the clients of all clouds would be half of the build.
    tags=("netgo", "remove_all_sd"),
)

_EXTENSION = "sigs.k8s.io/gateway-api-inference-extension"

GATEWAY_API = ToolSet(
    name="gateway-api",
    minutes="no time",
    tools={},
    module_folders={
        "gateway-api": ("sigs.k8s.io/gateway-api", ("config/crd/standard",)),
        "inference-gateway": (_EXTENSION, ("config/crd/bases",)),
    },
)

_ANY_ADDRESS = 'fmt.Sprintf(":%d", {})'
_LOOPBACK = 'fmt.Sprintf("127.0.0.1:%d", {})'


def _on_loopback(file: str, port: str) -> Edit:
    """Listen on the loopback address: there is no setting for it."""
    return Edit(file=file, old=_ANY_ADDRESS.format(port), new=_LOOPBACK.format(port))


INFERENCE_GATEWAY = ToolSet(
    name="inference-gateway",
    minutes="6 to 7 minutes",
    tools={"epp": f"{_EXTENSION}/cmd/epp", "bbr": f"{_EXTENSION}/cmd/bbr"},
    edits={
        _EXTENSION: (
            _on_loopback("cmd/bbr/runner/runner.go", "opts.MetricsPort"),
            _on_loopback("cmd/epp/runner/runner.go", "opts.MetricsPort"),
            _on_loopback("internal/runnable/grpc.go", "port"),
            # It scrapes pods, whose addresses nobody can dial: `dial_plan.go` knows the way.
            Edit(
                file="pkg/epp/framework/plugins/datalayer/source/http/client.go",
                old='"k8s.io/apimachinery/pkg/types"',
                new='"k8s.io/apimachinery/pkg/types"\n'
                'dialplan "gkeplatform/sandbox/engine/inference-gateway"',
            ),
            Edit(
                file="pkg/epp/framework/plugins/datalayer/source/http/client.go",
                old="baseTransport = &http.Transport{",
                new="baseTransport = &http.Transport{\nDialContext: dialplan.Dial,",
            ),
        )
    },
)

RATE_LIMIT = ToolSet(
    name="rate-limit",
    minutes="1 minute",
    tools={"ratelimit": "github.com/envoyproxy/ratelimit/src/service_cmd"},
)

LEADER_WORKER_SETS = ToolSet(
    name="lws",
    minutes="5 to 6 minutes",
    tools={"lws": "sigs.k8s.io/lws/cmd"},
    variables={"sigs.k8s.io/lws/pkg/version.GitVersion": "{sigs.k8s.io/lws}"},
)

ACTIONLINT = ToolSet(
    name="actionlint",
    minutes="half a minute",
    tools={"actionlint": "github.com/rhysd/actionlint/cmd/actionlint"},
)


def ensure(tool_set: ToolSet, progress: Progress) -> Path:
    """The cache entry of a tool set: `bin/<tool>` and `modules/<name>/…`. Raises EngineError."""
    return cache.entry(
        f"{tool_set.name}-{_key(tool_set)}",
        lambda folder: _build(tool_set, folder, progress),
        lambda: progress(f"waiting: another process is building {tool_set.name}"),
    )


def entry(tool_set: ToolSet) -> Path:
    """The folder that a build makes, whether it exists or not."""
    return cache.directory() / f"{tool_set.name}-{_key(tool_set)}"


def is_built(tool_set: ToolSet) -> bool:
    """Whether the tool set is built already."""
    return entry(tool_set).is_dir()


def version(tool_set: ToolSet, module: str) -> str:
    """The pinned version of a module, such as `v3.246.0`."""
    text = (_MODULES / tool_set.name / "go.mod").read_text()
    found = re.search(rf"^\s*(?:require\s+)?{re.escape(module)} (v\S+)", text, re.MULTILINE)
    if found is None:
        raise KeyError(f"sandbox/engine/modules/{tool_set.name}/go.mod does not require {module}")
    return found.group(1)


def checksum(tool_set: ToolSet, module: str) -> str:
    """The hash of a module's files in go.sum, `h1:…`."""
    wanted = f"{module} {version(tool_set, module)} "
    for line in (_MODULES / tool_set.name / "go.sum").read_text().splitlines():
        if line.startswith(wanted):
            return line.removeprefix(wanted)
    raise KeyError(f"sandbox/engine/modules/{tool_set.name}/go.sum has no hash of {module}")


def _key(tool_set: ToolSet) -> str:
    digest = hashlib.sha256()
    folder = _MODULES / tool_set.name
    for file in (folder / "go.mod", folder / "go.sum", *sorted(folder.glob("*.go"))):
        digest.update(file.read_bytes())
    if tool_set.edits:
        digest.update(repr(tool_set.edits).encode())
    if tool_set.tags:
        digest.update(repr(tool_set.tags).encode())
    digest.update(repr((tool_set, platform.system(), platform.machine())).encode())
    return digest.hexdigest()[:16]


def _build(tool_set: ToolSet, folder: Path, progress: Progress) -> None:
    compiler = go.ensure(progress)
    # A copy, so that nothing is written beside the pinned files.
    source = folder / "source"
    shutil.copytree(_MODULES / tool_set.name, source)
    scratch = folder / "tmp"
    scratch.mkdir()
    run = _Go(compiler, source, scratch)
    progress(f"downloading the sources of {tool_set.name}")
    run.quietly("mod", "download")
    for module, files in tool_set.embedded.items():
        for file in files:
            shutil.copy2(run.folder_of(module) / file, source)
    for module, edits in tool_set.edits.items():
        _edit(module, edits, run, source)
    if tool_set.tools:
        _build_tools(tool_set, run, folder / "bin", progress)
    for name, (module, parts) in tool_set.module_folders.items():
        for part in parts:
            shutil.copytree(run.folder_of(module) / part, folder / "modules" / name / part)
    if tool_set.module_folders:
        _make_writable(folder / "modules")
    shutil.rmtree(source)
    shutil.rmtree(scratch)
    progress(f"built {tool_set.name}")


def _edit(module: str, edits: Sequence[Edit], run: _Go, source: Path) -> None:
    """Build an edited copy of a module instead of the module."""
    copy = source / "edited" / module.replace("/", "-")
    shutil.copytree(run.folder_of(module), copy)
    _make_writable(copy)
    for edit in edits:
        file = copy / edit.file
        text = file.read_text()
        if text.count(edit.old) != 1:
            raise EngineError(
                f"{module}: {edit.file} has changed, and our edit of it does not apply",
                "compare the edit with the pinned version of the module",
            )
        file.write_text(text.replace(edit.old, edit.new))
    run.quietly("mod", "edit", f"-replace={module}={copy}")


def _build_tools(tool_set: ToolSet, run: _Go, binaries: Path, progress: Progress) -> None:
    progress(
        f"building {', '.join(tool_set.tools)}: about {tool_set.minutes} on two cores, and once "
        f"only (kept in {cache.directory()})"
    )
    flags = " ".join(
        f"-X {symbol}={_expand(tool_set, value)}" for symbol, value in tool_set.variables.items()
    )
    by_own_name = [p for name, p in tool_set.tools.items() if _is_own_name(name, p)]
    binaries.mkdir()
    # The linker drops debugging data (-w), so the compiler need not make it: a ninth of its time.
    arguments = ["build", "-v", "-gcflags", "all=-dwarf=false", "-ldflags", f"-s -w {flags}"]
    if tool_set.tags:
        arguments += ["-tags", ",".join(tool_set.tags)]
    if by_own_name:
        run.with_progress([*arguments, "-o", f"{binaries}/", *by_own_name], tool_set.name, progress)
    for name, package in tool_set.tools.items():
        if not _is_own_name(name, package):
            run.with_progress([*arguments, "-o", f"{binaries / name}", package], name, progress)


def _is_own_name(name: str, package: str) -> bool:
    """Whether this is Go's default name for the package's binary; those are built in one run."""
    return Path(package).name == name


def _expand(tool_set: ToolSet, value: str) -> str:
    return re.sub(r"\{(.+)\}", lambda found: version(tool_set, found.group(1)), value)


def _make_writable(folder: Path) -> None:
    """Make the entry writable: Go's module cache is read-only, and `rm -r` must work on it."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o200)


class _Go:
    """The `go` command in a module's folder, with its own environment."""

    def __init__(self, compiler: Path, folder: Path, scratch: Path) -> None:
        """`scratch` is where an interrupted compiler leaves what it made so far."""
        self._compiler = compiler
        self._folder = folder
        self._environment = {
            **os.environ,
            "GOFLAGS": "-mod=readonly",
            "GOTMPDIR": str(scratch),
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
            "CGO_ENABLED": "0",  # no C compiler is needed, and no C library is linked
        }

    def quietly(self, *arguments: str) -> str:
        """Run the command and return its standard output."""
        with self._start(arguments, subprocess.PIPE) as child:
            try:
                out, err = child.communicate()
            except BaseException:
                _end(child)
                raise
        if child.returncode:
            raise _failure(arguments, err)
        return out

    def folder_of(self, module: str) -> Path:
        """The folder of a downloaded module."""
        return Path(self.quietly("list", "-m", "-f", "{{.Dir}}", module).strip())

    def with_progress(self, arguments: Sequence[str], name: str, progress: Progress) -> None:
        """Run `go build -v`, which names each package that it compiles on standard error."""
        started = reported = time.monotonic()
        count, talk = 0, []
        with self._start(arguments, subprocess.DEVNULL) as child:
            try:
                for line in child.stderr or ():
                    # A package's path has no space; anything else is an error message.
                    if " " in line.strip():
                        talk.append(line)
                        continue
                    count += 1
                    now = time.monotonic()
                    if now - reported >= _SECONDS_BETWEEN_REPORTS:
                        reported = now
                        progress(f"building {name}: {count} packages, {now - started:.0f} s so far")
            except BaseException:
                _end(child)
                raise
        if child.returncode:
            raise _failure(arguments, "".join(talk))

    def _start(self, arguments: Sequence[str], out: int) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self._compiler, *arguments],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            # A process group of its own: on Ctrl-C, we end the compiler and its children.
            process_group=0,
        )


def _end(child: subprocess.Popen[str]) -> None:
    try:
        os.killpg(child.pid, signal.SIGTERM)
        child.wait(10)
    except (ProcessLookupError, subprocess.TimeoutExpired):
        child.kill()


def _failure(arguments: Sequence[str], talk: str) -> EngineError:
    lines = [line for line in talk.splitlines() if not line.startswith("go: downloading")]
    reason = lines[-1].strip() if lines else "no reason given"
    if "no space left on device" in talk:
        return EngineError(
            "go ran out of disk space while it built the engine",
            "it needs about 5 GB for its caches (`go env GOCACHE GOMODCACHE`) and 2 GB for ours",
        )
    if re.search(r"dial tcp|no such host|connection refused|i/o timeout|proxyconnect", talk):
        return EngineError(
            f"the Go module proxy cannot be reached: {reason}",
            "check the network and GOPROXY, or install Pulumi so that less is built",
        )
    return EngineError(f"`go {arguments[0]}` failed: {reason}", "see the lines above; try again")
