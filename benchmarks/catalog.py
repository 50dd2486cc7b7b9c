"""Reading and checking 1,000 models from a catalog folder of 50 files.

The budget is one second of processor time for the whole stack file; the best of several runs.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from benchmarks import history
from benchmarks.history import Figure
from gkeplatform import stack_values
from infra import stack_file

MODELS, FILES = 1000, 50
BUDGET_SECONDS = 1.0
RUNS = 5


def models(example: dict[str, Any]) -> list[dict[str, Any]]:
    """Entries like `example`; every second one is behind the HTTP load balancer."""
    entries = []
    for number in range(MODELS):
        name = f"model-{number:04}"
        path = f"/v1/models/{name}"
        routed = {"kind": "http-load-balancer", "paths": [path]}
        exposure = {"kind": "cluster-ip"} if number % 2 else routed
        entries.append({**example, "name": name, "exposure": exposure})
    return entries


def main() -> int:
    """Prints the time; 1 when it is over the budget."""
    options = history.parser(__doc__).parse_args()
    history.check(options)
    values: dict[str, Any] = dict(stack_values.read("dev", root=stack_file.ROOT))
    example = json.loads(values.pop("gke-serving:models"))[0]
    values["gke-serving:catalogue"] = "models/dev"
    times = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "stacks", "models", "dev")
        folder.mkdir(parents=True)
        entries, size = models(example), MODELS // FILES
        for number in range(FILES):
            part = entries[number * size : (number + 1) * size]
            (folder / f"team-{number:02}.yaml").write_text(yaml.safe_dump(part))
        for _ in range(RUNS):
            start = time.process_time()
            stack_file.read(values, file="stacks/Pulumi.dev.yaml", root=Path(scratch))
            times.append(time.process_time() - start)
    print(f"{MODELS} models in {FILES} files: {min(times):.2f} s")
    name = f"reading and checking {MODELS} models"
    figure = Figure(figure=name, value=min(times), unit="s", peer=BUDGET_SECONDS)
    history.keep(options, "catalog", [figure])
    return int(min(times) > BUDGET_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
