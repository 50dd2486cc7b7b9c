"""Data of Go modules from a module proxy, checked against go.sum; no compiler is needed.

The proxy is the one of GOPROXY, else the one that an installed `go` uses. Only addresses count:
`direct` and `off` need `go` itself, and so does a machine that names no proxy.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from sandbox.engine import go
from sandbox.engine.transfer import MAXIMUM_FILE, Session, TransferError, shown


def proxy() -> str | None:
    """The first module proxy of GOPROXY; None if none is named."""
    given = re.split(r"[,|]", os.environ.get("GOPROXY") or go.default_proxy())
    first = given[0].strip().rstrip("/")
    return first if first.startswith(("http://", "https://")) else None


def take(
    session: Session, module: str, version: str, parts: Sequence[str], target: Path, *, h1: str
) -> None:
    """Write the sub-folders `parts` of a module below `target`. Raises TransferError.

    `h1` is the module's hash in go.sum, `h1:…`.
    """
    address = proxy()
    if address is None:
        raise TransferError("GOPROXY names no module proxy, and no `go` is installed that does")
    url = f"{address}/{_escaped(module)}/@v/{_escaped(version)}.zip"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".module-") as file:
        session.file(url, Path(file.name))
        try:
            with zipfile.ZipFile(file.name) as archive:
                if (found := _hash(archive)) != h1:
                    raise TransferError(f"{shown(url)} has the hash {found}, go.sum {h1}")
                for part in parts:
                    _extract(archive, f"{module}@{version}/", part, target)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
            raise TransferError(f"{shown(url)} is no complete zip: {error}") from error


def _extract(archive: zipfile.ZipFile, root: str, part: str, target: Path) -> None:
    entries = [entry for entry in archive.infolist() if entry.filename.startswith(f"{root}{part}/")]
    if not entries:
        raise TransferError(f"{root} has no folder {part}")
    for entry in entries:
        path = PurePosixPath(entry.filename.removeprefix(root))
        if ".." in path.parts or path.is_absolute():
            raise TransferError(f"{root} has a file outside of itself: {entry.filename}")
        if entry.is_dir():
            continue
        file = target / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(archive.read(entry))


def _hash(archive: zipfile.ZipFile) -> str:
    """go.sum's `h1:`: a SHA-256 of the sorted lines `<SHA-256 of the file>  <name>`."""
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if sum(entry.file_size for entry in entries) > MAXIMUM_FILE:
        raise TransferError(f"a module is larger than {MAXIMUM_FILE // 2**20} MiB")
    total = hashlib.sha256()
    for entry in sorted(entries, key=lambda one: one.filename.encode()):
        content = hashlib.sha256(archive.read(entry)).hexdigest()
        total.update(f"{content}  {entry.filename}\n".encode())
    return "h1:" + base64.b64encode(total.digest()).decode()


def _escaped(text: str) -> str:
    """The proxy's spelling: an upper-case letter is `!` and the lower-case one."""
    return re.sub(r"[A-Z]", lambda found: "!" + found.group(0).lower(), text)
