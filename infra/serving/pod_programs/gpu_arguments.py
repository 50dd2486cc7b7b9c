"""Starts a model server with the arguments for the GPU that its node happens to have.

A compute class may place a pod on different GPUs, and Kubernetes tells a container nothing of its
node's. So the driver is asked: GKE mounts `nvidia-smi` into containers with GPUs
(https://docs.cloud.google.com/kubernetes-engine/docs/how-to/gpus).

`gpu_arguments.py PROGRAM WORD…` becomes `PROGRAM WORD… OWN…`, of which OWN are the words that the
variable ARGUMENTS_BY_GPU (JSON) has for the type; none for a type that it does not name. Of a flag
that is given twice vLLM takes the last. `gpus.json` beside the program says how devices are called.
Ends with 1, and one line that says why (also in /dev/termination-log), for a device that is not
known: the server would start with arguments that are meant for another.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

VARIABLE = "ARGUMENTS_BY_GPU"
TABLE = "gpus.json"
TOLERANCE = 0.1
"""Drivers keep some memory for themselves: how far what they tell may be from the hardware's."""
_DRIVER = "/usr/local/nvidia"
"""Where GKE mounts the driver."""
_PATIENCE = 60
"""Seconds; the first program that uses a GPU waits for the driver to initialize it."""


def devices() -> list[tuple[str, int]]:
    """Name and memory (MiB) of each GPU of the container. `ValueError` if the driver tells none."""
    folders = {"PATH": f"{_DRIVER}/bin", "LD_LIBRARY_PATH": f"{_DRIVER}/lib64"}
    added = {
        name: os.pathsep.join(filter(None, (os.environ.get(name), folder)))
        for name, folder in folders.items()
    }
    try:
        told = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"],
            env={**os.environ, **added},
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ValueError(f"nvidia-smi does not answer: {error}") from None
    found = re.findall(r"^(.+), *(\d+)\s*$", told.stdout, re.MULTILINE)
    if told.returncode or not found:
        said = " ".join(f"{told.stdout} {told.stderr}".split()) or "it says nothing"
        raise ValueError(f"nvidia-smi tells of no GPU (exit code {told.returncode}): {said}")
    return [(name, int(size)) for name, size in found]


def kinds(name: str, mebibytes: int, known: Mapping[str, Mapping[str, object]]) -> list[str]:
    """The types whose device it is. Several where one device is sold as several types."""
    words = f" {re.sub('[-_ ]+', ' ', name)} "
    return [
        kind
        for kind, device in known.items()
        if f" {device['product']} " in words
        and abs(mebibytes - int(str(device["mebibytes"]))) <= TOLERANCE * mebibytes
    ]


def chosen(
    found: Sequence[tuple[str, int]],
    known: Mapping[str, Mapping[str, object]],
    table: Mapping[str, Sequence[str]],
) -> tuple[str, list[str]]:
    """The device, for the log, and the words for it. `ValueError` if it is not known."""
    name, mebibytes = found[0]
    if set(found) != {found[0]}:
        raise ValueError(f"the container has different GPUs: {found}")
    if not (matching := kinds(name, mebibytes, known)):
        raise ValueError(
            f"the GPU is {name} with {mebibytes} MiB, which is none of {', '.join(known)}: nobody "
            "has said which arguments fit it; take its pool out of the compute class, or add the "
            "device to facts/data/gpu_devices.json"
        )
    own = next((list(table[kind]) for kind in matching if kind in table), [])
    return f"{name} ({' or '.join(matching)}), {mebibytes} MiB", own


def main(words: Sequence[str]) -> NoReturn:
    """Become the program, or end."""
    known = json.loads(Path(__file__).with_name(TABLE).read_text())
    try:
        device, own = chosen(devices(), known, json.loads(os.environ[VARIABLE]))
    except ValueError as error:
        print(f"no arguments for the GPU: {error}", file=sys.stderr, flush=True)
        with suppress(OSError):  # the container has none
            Path("/dev/termination-log").write_text(str(error))
        sys.exit(1)
    print(f"{device}: {' '.join(own) or 'no arguments of its own'}", file=sys.stderr, flush=True)
    os.execvp(words[0], [*words, *own])  # noqa: S606 - the words are the container's own


if __name__ == "__main__":
    main(sys.argv[1:])
