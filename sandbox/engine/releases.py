"""Where each tool set is published, at the versions that its go.mod pins. Data; it loads nothing.

What has no release here is built: Pulumi has an installer of its own (`pulumi_cli`), and Kubernetes
publishes no servers for macOS. A release and a build differ in the compiler's version and in the
dependencies' patch versions; the build of KEDA's adapter also in the address that it listens on.
The release of Zalando's Postgres operator is not used for that reason: it would let the network
control the databases, and its build takes a minute.
"""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sandbox.engine import build

_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_GITHUB = "https://github.com"
# KWOK publishes no checksums. These are of its assets, as packagers recorded them: two of them for
# amd64, which agree, and one for arm64.
_KWOK = {
    ("v0.8.0", "kwok", "amd64"): "f5a4385a2ae1b9dd7f8acae18e002a75c0ebba124ae9d7259aa8dadb50711f46",
    ("v0.8.0", "kwok", "arm64"): "628f7d277860f524a2a775c217adcc58828e7b59ab0933680315784f1b8b0e37",
    ("v0.8.0", "kwokctl", "amd64"): (
        "d5743166c657283d6e827c7c4c20cacfd9009fd94830f06718ca7b2c7099461f"
    ),
    ("v0.8.0", "kwokctl", "arm64"): (
        "5a642b27d3e975f36040d215640cd90fb4a63cb6fca0ad5865a61bcd9c81051b"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A program, or an archive with it, with a published SHA-256. It has a digest or a list."""

    url: str
    sha256: str | None = None
    checksums: str | None = None
    """The address of a digest, or of a list of `digest  name` as sha256sum writes it."""
    member: str | None = None
    """The program's path in a tar; None: the file is the program."""


@dataclass(frozen=True, slots=True)
class Image:
    """A program in an image of Linux."""

    repository: str
    """Its address, such as `https://ghcr.io/v2/kedacore/keda`."""
    reference: str
    """A tag, or `sha256:…`."""
    member: str
    """The program's path in the image, without the first `/`."""
    architecture: str
    """As Go names it: `amd64`, `arm64`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What replaces the build of a tool set. Its module data comes from the module proxy."""

    tools: Mapping[str, File | Image] = field(default_factory=dict)
    """By the binary's name."""

    @property
    def addresses(self) -> list[str]:
        """An address of every host that it is downloaded from."""
        return [one.url if isinstance(one, File) else one.repository for one in self.tools.values()]


def find(tool_set: build.ToolSet) -> Release | None:
    """The release of a tool set for this machine; None if it has none."""
    architecture = _ARCHITECTURES.get(platform.machine().lower())
    if platform.system() != "Linux" or architecture is None:
        return None
    return of(tool_set, architecture)


def of(tool_set: build.ToolSet, architecture: str) -> Release | None:
    """The release for Linux of an architecture, `amd64` or `arm64`; None if it has none."""
    if tool_set is build.KUBERNETES:
        tools = {**_kubernetes(architecture), **_kwok(architecture)}
        tools |= {"etcd": _etcd(architecture), "metrics-server": _metrics_server(architecture)}
        return Release(tools=tools) if tools.keys() == tool_set.tools.keys() else None
    if tool_set is build.ACTIONLINT:
        return Release(tools={"actionlint": _actionlint(architecture)})
    if tool_set is build.KEDA:
        return Release(tools=_keda(architecture))
    if tool_set is build.PROMETHEUS:
        return Release(tools={"prometheus": _prometheus(architecture)})
    return Release() if tool_set is build.GATEWAY_API else None


def entry(tool_set: build.ToolSet, release: Release) -> str:
    """The name of a download's cache entry: another pin, address or platform has another."""
    data = [
        (name, module, tuple(parts), build.checksum(tool_set, module))
        for name, (module, parts) in tool_set.module_folders.items()
    ]
    key = hashlib.sha256(repr((release, data)).encode()).hexdigest()[:16]
    return f"{tool_set.name}-download-{key}"


def _kubernetes(architecture: str) -> dict[str, File | Image]:
    version = build.version(build.KUBERNETES, "k8s.io/kubernetes")
    folder = f"https://dl.k8s.io/release/{version}/bin/linux/{architecture}"
    names = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
    return {
        name: File(url=f"{folder}/{name}", checksums=f"{folder}/{name}.sha256") for name in names
    }


def _kwok(architecture: str) -> dict[str, File | Image]:
    version = build.version(build.KUBERNETES, "sigs.k8s.io/kwok")
    folder = f"{_GITHUB}/kubernetes-sigs/kwok/releases/download/{version}"
    return {
        name: File(
            url=f"{folder}/{name}-linux-{architecture}", sha256=_KWOK[version, name, architecture]
        )
        for name in ("kwok", "kwokctl")
        if (version, name, architecture) in _KWOK
    }


def _etcd(architecture: str) -> File:
    version = build.version(build.KUBERNETES, "go.etcd.io/etcd/server/v3")
    folder = f"{_GITHUB}/etcd-io/etcd/releases/download/{version}"
    name = f"etcd-{version}-linux-{architecture}"
    return File(
        url=f"{folder}/{name}.tar.gz", checksums=f"{folder}/SHA256SUMS", member=f"{name}/etcd"
    )


def _metrics_server(architecture: str) -> Image:
    # Its releases have the program too, but no checksums; an image has digests.
    tag = build.version(build.KUBERNETES, "sigs.k8s.io/metrics-server")
    repository = "https://registry.k8s.io/v2/metrics-server/metrics-server"
    return Image(repository, tag, "metrics-server", architecture)


def _actionlint(architecture: str) -> File:
    number = _number(build.version(build.ACTIONLINT, "github.com/rhysd/actionlint"))
    folder = f"{_GITHUB}/rhysd/actionlint/releases/download/v{number}"
    return File(
        url=f"{folder}/actionlint_{number}_linux_{architecture}.tar.gz",
        checksums=f"{folder}/actionlint_{number}_checksums.txt",
        member="actionlint",
    )


def _keda(architecture: str) -> dict[str, File | Image]:
    tag = _number(build.version(build.KEDA, "github.com/kedacore/keda/v2"))
    registry = "https://ghcr.io/v2/kedacore"
    return {
        "keda": Image(f"{registry}/keda", tag, "keda", architecture),
        "keda-adapter": Image(
            f"{registry}/keda-metrics-apiserver", tag, "keda-adapter", architecture
        ),
    }


def _prometheus(architecture: str) -> File:
    # Releases are numbered 3.x.y; the module, which promises no stable API, 0.3xx.y.
    version = build.version(build.PROMETHEUS, "github.com/prometheus/prometheus")
    _, minor, patch = _number(version).split(".")
    number = f"{int(minor) // 100}.{int(minor) % 100}.{patch}"
    folder = f"{_GITHUB}/prometheus/prometheus/releases/download/v{number}"
    name = f"prometheus-{number}.linux-{architecture}"
    return File(
        url=f"{folder}/{name}.tar.gz",
        checksums=f"{folder}/sha256sums.txt",
        member=f"{name}/prometheus",
    )


def _number(version: str) -> str:
    return re.sub(r"^v", "", version)
