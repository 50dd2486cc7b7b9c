"""Ends the processes of a control plane and deletes its folder."""

from __future__ import annotations

import shutil

from sandbox.kubernetes import processes
from sandbox.kubernetes.folder import Folder


def remove(folder: Folder, *, keep_logs: bool = False) -> None:
    """Stop the processes of a folder and delete it, except the logs of a failure."""
    processes.end_all(folder.path)
    if not folder.path.exists():
        return
    if not keep_logs:
        shutil.rmtree(folder.path)
        return
    for path in folder.path.iterdir():
        if path.is_file() and path.suffix != ".log":
            path.unlink()
    if folder.state.exists():
        for path in folder.state.iterdir():
            if path.is_dir() and path.name != "logs":
                shutil.rmtree(path)
            elif path.is_file():
                path.unlink()
