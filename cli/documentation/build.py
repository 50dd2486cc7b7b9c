"""Runs Zensical on a copy of the documents. It uses no network."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cli.documentation import offline, sources
from cli.errors import CliError

_PACKAGES = "requirements-docs.lock"
_SECONDS = 300
_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_FINDING = re.compile(r"^Warning: (.+)\n\W*\[ (\S+?:\d+):\d+ \]", re.MULTILINE)


def build(root: Path, output: Path) -> int:
    """Write the site into a folder, which is replaced; returns its number of pages.

    Raises CliError for a link that leads nowhere, and where Zensical is not installed.
    """
    zensical = Path(sys.executable).parent / "zensical"
    if not zensical.exists():
        raise CliError(
            "Zensical, which builds the site, is not installed",
            f"{Path(sys.executable).parent / 'pip'} install --require-hashes -r {_PACKAGES}",
        )
    if output.exists() and not _is_site(output):
        raise CliError(
            f"{output} exists and is no site", "--output FOLDER with one that may be replaced"
        )
    pages = sources.documents(root)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for page in (*pages, *sources.linked(root, pages)):
            copy = folder / "pages" / page
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / page, copy)
        (folder / "zensical.toml").write_text(sources.configuration(root), encoding="utf-8")
        done = subprocess.run(
            [zensical, "build", "--strict"],
            cwd=folder,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
        if done.returncode or not (folder / "site" / "index.html").exists():
            raise _failure(done.stdout + done.stderr)
        offline.complete(folder / "site")
        shutil.rmtree(output, ignore_errors=True)
        shutil.copytree(folder / "site", output)
    return len(pages)


def _failure(said: str) -> CliError:
    plain = _COLOR.sub("", said)
    found = [f"{place}: {what}" for what, place in _FINDING.findall(plain)]
    lines = plain.strip().splitlines() or ["no reason given"]
    hint = "mend the links" if found else ""
    return CliError(f"the site is not built: {'; '.join(found) or lines[-1]}", hint)


def _is_site(folder: Path) -> bool:
    return folder.is_dir() and (not any(folder.iterdir()) or (folder / "search.json").exists())
