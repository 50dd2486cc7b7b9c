"""The program that starts a server with the arguments for the GPU that its node has."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from facts.accelerator_memory import is_tpu, known
from facts.gpu_devices import devices
from infra.serving.models import gpu_start
from infra.serving.pod_programs import GPU_ARGUMENTS
from infra.serving.pod_programs.gpu_arguments import kinds

TABLE = {"nvidia-tesla-a100": ["--max-model-len=65536", "--max-num-seqs", "256"]}
A100 = "NVIDIA A100-SXM4-40GB, 40960"


def start(folder: Path, driver: str) -> subprocess.CompletedProcess[str]:
    """Run it as a container would; `driver` is the script that answers as nvidia-smi."""
    for name, text in gpu_start.data().items():
        (folder / name).write_text(text)
    for name, script in {"nvidia-smi": driver, "vllm": 'printf "%s\\n" "$@"'}.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o700)
    return subprocess.run(
        [sys.executable, "-B", folder / GPU_ARGUMENTS, "vllm", "serve", "/models", "--seed=1"],
        env={"PATH": str(folder), "ARGUMENTS_BY_GPU": json.dumps(TABLE)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_it_becomes_the_server_with_the_arguments_for_the_device(tmp_path: Path) -> None:
    done = start(tmp_path, f"echo '{A100}'; echo '{A100}'")
    assert done.stdout.split("\n")[:-1] == [
        *("serve", "/models", "--seed=1"),
        *TABLE["nvidia-tesla-a100"],
    ]
    assert "NVIDIA A100-SXM4-40GB (nvidia-tesla-a100), 40960 MiB: --max-model-len" in done.stderr


def test_a_known_device_without_arguments_of_its_own_has_the_common_ones(tmp_path: Path) -> None:
    done = start(tmp_path, "echo 'NVIDIA L4, 23034'")
    assert done.stdout.split() == ["serve", "/models", "--seed=1"]


@pytest.mark.parametrize(
    ("driver", "said"),
    [
        ("echo 'NVIDIA A10G, 23028'", "the GPU is NVIDIA A10G with 23028 MiB, which is none of"),
        (f"echo '{A100}'; echo 'NVIDIA L4, 23034'", "different GPUs"),
        ("echo 'No devices were found'; exit 6", "exit code 6): No devices were found"),
        ("true", "it says nothing"),
    ],
)
def test_a_device_that_is_not_known_ends_it(tmp_path: Path, driver: str, said: str) -> None:
    done = start(tmp_path, driver)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_container_without_the_driver_ends_it(tmp_path: Path) -> None:
    done = start(tmp_path, "true")
    (tmp_path / "nvidia-smi").unlink()
    done = subprocess.run(
        [sys.executable, "-B", tmp_path / GPU_ARGUMENTS, "vllm"],
        env={"PATH": os.devnull, "ARGUMENTS_BY_GPU": "{}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "nvidia-smi does not answer" in done.stderr


def test_every_type_whose_memory_is_known_has_a_device() -> None:
    assert set(devices()) == {kind for kind in known() if not is_tpu(kind)}


@pytest.mark.parametrize("kind", sorted(devices()))
def test_every_type_is_recognized_by_its_device_and_by_no_other(kind: str) -> None:
    table = {name: asdict(device) for name, device in devices().items()}
    device = devices()[kind]
    # What drivers tell differs by some hundred MiB.
    for told in (device.mebibytes, int(device.mebibytes * 0.98)):
        found = kinds(device.name, told, table)
        assert found == [name for name, other in devices().items() if other == device]
        assert kind in found
