"""Programs that run in pods, in images that have Python 3.11 and nothing else of ours.

They use the standard library only. A ConfigMap brings each as text (`source`), and the tests run
each as a program against servers that speak the APIs it calls.
"""

from pathlib import Path

IMPORT = "hub_import.py"
SYNC = "adapter_sync.py"
KEYS = "caller_keys.py"
GUARD = "adapter_guard.py"
GPU_ARGUMENTS = "gpu_arguments.py"


def source(name: str) -> str:
    """The text of a program."""
    return (Path(__file__).parent / name).read_text()
