"""What git knows of a deployment's commit. Nothing here changes the repository."""

from __future__ import annotations

import subprocess
from pathlib import Path


def subject(root: Path, commit: str) -> str:
    """The subject of a commit; empty where it is not known here."""
    return (_git(root, "log", "-1", "--format=%s", commit) or "").strip()


def text(root: Path, commit: str, file: str) -> str | None:
    """A file below `root` as of a commit; None where git does not have it."""
    return _git(root, "show", f"{commit}:./{file}")


def files(root: Path, commit: str, folder: str) -> list[str]:
    """The files in a folder below `root` as of a commit, by path below `root`."""
    listed = _git(root, "ls-tree", "-r", "--name-only", "-z", commit, "--", f"{folder}/")
    return [name for name in (listed or "").split("\0") if name]


def is_known(root: Path, commit: str) -> bool:
    """Whether this repository has the commit."""
    return bool(commit) and _git(root, "cat-file", "-e", f"{commit}^{{commit}}") is not None


def _git(root: Path, *arguments: str) -> str | None:
    """The output of a git command; None where it fails, or there is no git."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=root,
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except OSError:
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None
