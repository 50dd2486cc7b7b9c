"""Single files out of archives that others made. An archive never says where a file goes."""

from __future__ import annotations

import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from sandbox.engine.transfer import MAXIMUM_FILE, TransferError


def take_from_tar(archive: Path, member: str, target: Path) -> bool:
    """Write a regular file of a tar (plain, or with gzip) to `target`; False if it has none.

    Links are not followed. Raises TransferError if it is no tar, or incomplete.
    """
    try:
        with tarfile.open(archive, "r|*") as opened:
            for entry in opened:
                if _name(entry.name) != member:
                    continue
                source = opened.extractfile(entry) if entry.isreg() else None
                if source is None:
                    raise TransferError(f"{member} is no regular file in the archive")
                if entry.size > MAXIMUM_FILE:
                    raise TransferError(f"{member} is larger than {MAXIMUM_FILE // 2**20} MiB")
                with target.open("wb") as file:
                    shutil.copyfileobj(source, file, 2**20)
                return True
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise TransferError(f"{archive.name} is no complete tar: {error}") from error
    return False


def _name(name: str) -> str:
    """The path in an archive without `./` and `/`, as images and releases write it."""
    return str(PurePosixPath(name)).lstrip("/")
