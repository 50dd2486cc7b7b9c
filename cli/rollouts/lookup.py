"""Reads the pods of a rollout that did not end, with kubectl."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cli.errors import CliError
from cli.rollouts import gates
from cli.rollouts.gates import Held

_SECONDS = 20
_KINDS = "deployments.apps,pods"


def held(
    errors: Sequence[str], kubeconfig: Callable[[], str], variables: Mapping[str, str]
) -> list[Held]:
    """The pods that wait for readiness gates, of the Deployments that failed.

    Empty as well where that cannot be learned: it only adds to an error. `kubeconfig` returns the
    text of the cluster's, and may raise CliError.
    """
    failed = gates.failed(errors)
    kubectl = shutil.which("kubectl", path=variables.get("PATH"))
    if not failed or kubectl is None:
        return []
    found: list[Held] = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "kubeconfig"
            path.touch(mode=0o600)
            path.write_text(kubeconfig())
            environment = {**variables, "KUBECONFIG": str(path)}
            for namespace in dict.fromkeys(namespace for namespace, _ in failed):
                objects = _objects(kubectl, namespace, environment)
                for its, name in failed:
                    found += gates.held(objects, name) if its == namespace else []
    except (CliError, OSError, ValueError, KeyError, subprocess.SubprocessError):
        return []
    return found


def _objects(kubectl: str, namespace: str, environment: Mapping[str, str]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [kubectl, "get", _KINDS, "--namespace", namespace, "--output", "json"],
        env=dict(environment),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=_SECONDS,
        check=True,
    )
    items: list[dict[str, Any]] = json.loads(done.stdout)["items"]
    return items
