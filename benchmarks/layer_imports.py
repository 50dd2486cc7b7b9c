"""The time to import a layer's own modules, compared with the SDKs that they need.

Each measure is the best of several fresh interpreters. The budget is 0.2 seconds above the SDKs.
"""

import ast
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import history
from benchmarks.history import Figure

ROOT = Path(__file__).parent.parent
BUDGET_SECONDS = 0.2
RUNS = 5

PROVIDERS = """
import pulumi, pulumi.runtime, pulumi_gcp, pulumi_kubernetes
pulumi_gcp.Provider, pulumi_kubernetes.Provider
"""
# The SDK's modules are lazy: the first attribute loads them.
SDKS = {
    "cluster": """
from pulumi_gcp import compute, container, projects, serviceaccount
compute.Network, container.Cluster, projects.Service, serviceaccount.Account
""",
    "serving": """
from pulumi_gcp import serviceaccount, storage
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.autoscaling import v2 as autoscaling
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.policy import v1 as policy
serviceaccount.Account, storage.Bucket, apps.Deployment, core.Service
autoscaling.HorizontalPodAutoscaler, policy.PodDisruptionBudget
""",
    "networking": """
from pulumi_gcp import compute, storage
compute.Network, storage.Bucket
""",
    "environment": """
from pulumi_gcp import monitoring

monitoring.UptimeCheckConfig
""",
}


def seconds(code: str) -> float:
    """The shortest time in which a fresh interpreter runs `code`."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, check=True)
        times.append(time.perf_counter() - start)
    return min(times)


def imports(layer: str) -> str:
    """The import statements of a layer's program."""
    tree = ast.parse((ROOT / "infra" / layer / "__main__.py").read_text())
    statements = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return "\n".join(map(ast.unparse, statements))


def main() -> int:
    """Print a line a layer; 1 when a layer is over the budget."""
    options = history.parser(__doc__).parse_args()
    history.check(options)
    is_over, figures = False, []
    for layer, sdk in SDKS.items():
        theirs, ours = seconds(PROVIDERS + sdk), seconds(imports(layer))
        is_over |= ours - theirs > BUDGET_SECONDS
        print(f"{layer:<12} {ours:.2f} s, SDKs {theirs:.2f} s, ratio {ours / theirs:.2f}")
        name = f"import of the {layer} layer's own modules"
        figures.append(Figure(figure=name, value=ours - theirs, unit="s", peer=BUDGET_SECONDS))
    history.keep(options, "layer_imports", figures)
    return int(is_over)


if __name__ == "__main__":
    sys.exit(main())
