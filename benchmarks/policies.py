"""The policy pack's time for 1,000 Kubernetes objects, compared with checkov and with ten rules.

`.venv/bin/python -m benchmarks.policies` runs whole commands, including their start, on the same
files alternately, so that other load affects all of them. checkov is installed into a temporary
folder (`--checkov COMMAND` uses an installed one). The second comparison is the pack with all rules
against the pack with ten.

The objects are those of 125 models, eight a file: a Deployment, a Service, an HPA, a PDB, an
Ingress, a Role, a RoleBinding and a NetworkPolicy. Some break rules, so that both tools have
findings.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks import history
from benchmarks.history import Figure

ROOT = Path(__file__).resolve().parents[1]
CHECKOV = "checkov==3.3.30"
MODELS, ROUNDS, PAIRS = 125, 5, 4
AGAINST_CHECKOV, AGAINST_TEN = 0.15, 1.1
Json = dict[str, Any]


def model(number: int) -> list[Json]:
    """The objects of one model; every fifth breaks rules."""
    name = f"model-{number:03}"
    breaks_rules = number % 5 == 0
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "ml"}

    def made(api: str, kind: str, spec: Json | None = None, **rest: Any) -> Json:
        metadata = {"name": name, "namespace": "models", "labels": labels}
        document: Json = {"apiVersion": api, "kind": kind, "metadata": metadata, **rest}
        return document if spec is None else {**document, "spec": spec}

    probe = {"httpGet": {"path": f"/v1/models/{name}", "port": 8501}, "periodSeconds": 5}
    container: Json = {
        "name": name,
        "image": f"registry.example/serving/{name}:2.19.{number}",
        "args": [f"--model_name={name}", f"--model_base_path=gs://models/{name}"],
        "ports": [{"name": "rest", "containerPort": 8501}, {"name": "grpc", "containerPort": 8500}],
        "resources": {
            "requests": {"cpu": "500m", "memory": "1Gi"},
            "limits": {"cpu": "1", "memory": "1Gi"},
        },
        "readinessProbe": probe,
        "livenessProbe": {**probe, "failureThreshold": 6},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    pod: Json = {
        "serviceAccountName": name,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 45,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": labels},
            }
        ],
    }
    if breaks_rules:
        del container["resources"], container["livenessProbe"]
        container |= {"image": "serving:latest", "securityContext": {"privileged": True}}
        pod["hostNetwork"] = True
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}]
    backend = {"service": {"name": name, "port": {"name": "rest"}}}
    paths = [{"path": f"/v1/models/{name}", "pathType": "Prefix", "backend": backend}]
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    return [
        made(
            "apps/v1",
            "Deployment",
            {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        ),
        made("v1", "Service", {"selector": labels, "ports": [{"name": "rest", "port": 8501}]}),
        made(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                "minReplicas": 3,
                "maxReplicas": 10,
                "metrics": [{"type": "Resource", "resource": cpu}],
            },
        ),
        made(
            "policy/v1",
            "PodDisruptionBudget",
            {"minAvailable": 2, "selector": {"matchLabels": labels}},
        ),
        made(
            "networking.k8s.io/v1",
            "Ingress",
            {
                "ingressClassName": "nginx",
                "tls": [{"hosts": ["models.example"], "secretName": name}],
                "rules": [{"host": "models.example", "http": {"paths": paths}}],
            },
        ),
        made("rbac.authorization.k8s.io/v1", "Role", rules=rules),
        made(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            subjects=[{"kind": "ServiceAccount", "name": name, "namespace": "models"}],
        ),
        made(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            {"podSelector": {"matchLabels": labels}, "policyTypes": ["Ingress", "Egress"]},
        ),
    ]


def write(folder: Path) -> int:
    """Write the files and return the number of objects."""
    count = 0
    for number in range(MODELS):
        objects = model(number)
        (folder / f"model-{number:03}.yaml").write_text(yaml.safe_dump_all(objects))
        count += len(objects)
    return count


def timed(command: Sequence[str | Path], environment: Mapping[str, str]) -> tuple[float, str]:
    """A command's seconds and output. Findings do not count as failures."""
    started = time.perf_counter()
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - started
    if done.returncode not in (0, 1, 5) or not done.stdout.strip():
        sys.exit(f"{command[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return seconds, done.stdout


def install_checkov(folder: Path) -> Path:
    """checkov in its own virtual environment, with bytecode compiled by pip."""
    print(f"installing {CHECKOV} for the comparison", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip: list[str | Path] = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", CHECKOV]
    subprocess.run(pip, check=True)
    return folder / "bin" / "checkov"


TEN = """
import sys
import cli
from policies import registry
registry.RULES = tuple(
    rule for rule in registry.RULES if rule.selector.example.startswith("kubernetes:")
)[:10]
from cli.app import main
sys.argv = ["platformctl", *sys.argv[1:]]
main()
"""


def main() -> int:
    """Measure and print the figures; 1 when a target is missed."""
    parser = history.parser(__doc__)
    parser.add_argument("--checkov", type=Path, help="a checkov that is installed already")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    chosen = parser.parse_args()
    history.check(chosen)
    with tempfile.TemporaryDirectory() as scratch:
        files = Path(scratch, "objects")
        files.mkdir()
        objects = write(files)
        checkov = chosen.checkov or install_checkov(Path(scratch, "checkov"))
        environment = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
        environment |= {"LOG_LEVEL": "ERROR", "BC_SKIP_MAPPING": "TRUE"}
        check: list[str | Path] = ["policy", "check", files, "--json"]
        python: list[str | Path] = [sys.executable]
        commands: dict[str, list[str | Path]] = {
            "checkov": [
                *(checkov, "--directory", files, "--framework", "kubernetes"),
                *("--quiet", "--compact", "--output", "json"),
            ],
            "all rules": [*python, "-m", "cli", *check],
            "ten rules": [*python, "-c", TEN, *check],
        }
        for name, command in commands.items():  # once, to fill file caches and see that it works
            print(f"{name:<10} {_told(name, timed(command, environment)[1])}")
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(chosen.rounds):
            for name in ("checkov", *("all rules", "ten rules") * PAIRS):
                seconds[name].append(timed(commands[name], environment)[0])
    print(f"\n{objects} objects, {chosen.rounds} alternating rounds")
    for name, taken in seconds.items():
        print(f"{name:<10} {statistics.median(taken):6.2f} s   (best {min(taken):.2f} s)")
    every = [one for one in seconds["checkov"] for _ in range(PAIRS)]
    ratios = {
        "all rules / checkov": (_ratio(seconds["all rules"], every), AGAINST_CHECKOV),
        "all rules / ten rules": (_ratio(seconds["all rules"], seconds["ten rules"]), AGAINST_TEN),
    }
    for name, (ratio, target) in ratios.items():
        print(f"{name:<22} {ratio:5.2f}   (target {target})")
    named = {
        "all rules / checkov": ("policy check of 1,000 objects", "checkov", CHECKOV),
        "all rules / ten rules": ("policy check with all rules", "ten rules", "ten rules"),
    }
    history.keep(
        chosen,
        "policies",
        [
            Figure(
                figure=figure,
                value=statistics.median(seconds["all rules"]),
                unit="s",
                peer=round(statistics.median(seconds[peer]), 2),
                against=against.replace("==", " "),
                ratio=round(ratios[name][0], 2),
            )
            for name, (figure, peer, against) in named.items()
        ],
    )
    return int(any(ratio > target for ratio, target in ratios.values()))


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios of neighbouring runs, which other load affects least."""
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))


def _told(name: str, shown: str) -> str:
    """The number of resources that a command judged, by its own report."""
    document = json.loads(shown)
    if name == "checkov":
        one = document[0] if isinstance(document, list) else document
        summary = one["summary"]
        return f"{summary['resource_count']} resources, {summary['failed']} failed checks"
    return f"{document['resources']} resources, {len(document['findings'])} findings"


if __name__ == "__main__":
    sys.exit(main())
