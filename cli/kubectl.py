"""Reads objects of a cluster with kubectl."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cli.errors import CliError

Json = dict[str, Any]
_SECONDS = 60


_UNDEFINED = "the server doesn't have a resource type"


def objects(
    kinds: Sequence[str],
    variables: Mapping[str, str],
    *options: str,
    namespace: str = "",
    optional: Sequence[str] = (),
) -> list[Json]:
    """The objects of these kinds in a namespace, or in all of them. Raises CliError.

    `options` choose the cluster: `--context NAME`, `--kubeconfig FILE`. `optional` kinds may be
    undefined in it; a cluster without them is asked twice.
    """
    try:
        return _objects([*kinds, *optional], variables, *options, namespace=namespace)
    except CliError as error:
        if not optional or not error.says(_UNDEFINED):
            raise
    return _objects(kinds, variables, *options, namespace=namespace)


def _objects(
    kinds: Sequence[str], variables: Mapping[str, str], *options: str, namespace: str
) -> list[Json]:
    kubectl = shutil.which("kubectl", path=variables.get("PATH"))
    if kubectl is None:
        raise CliError("`kubectl` is not on the PATH", "https://kubernetes.io/docs/tasks/tools/")
    where = [f"--namespace={namespace}"] if namespace else ["--all-namespaces"]
    arguments = ["get", ",".join(kinds), *where, "--output=json"]
    try:
        done = subprocess.run(
            [kubectl, *options, *arguments],
            env=dict(variables),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CliError(
            f"the cluster has not answered in {_SECONDS} s", "is it reachable?"
        ) from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise CliError(f"`kubectl {' '.join(arguments)}`: {lines[-1]}")
    items: list[Json] = json.loads(done.stdout)["items"]
    return items


@contextlib.contextmanager
def kubeconfig(text: str) -> Iterator[str]:
    """The option that names a private file with this kubeconfig, which may hold credentials."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "kubeconfig")
        file.touch(mode=0o600)
        file.write_text(text)
        yield f"--kubeconfig={file}"
