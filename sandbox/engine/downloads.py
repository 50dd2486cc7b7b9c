"""Downloads a tool set's release into an empty folder, in the layout that a build has."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from sandbox.engine import archives, build, module_zips, registries
from sandbox.engine.releases import File, Image, Release
from sandbox.engine.transfer import Session, TransferError, shown

Progress = Callable[[str], None]
_PARALLEL = 4
_SECONDS_BETWEEN_REPORTS = 10.0


def addresses(tool_set: build.ToolSet, release: Release) -> list[str]:
    """An address of every host that is needed."""
    proxy = module_zips.proxy() if tool_set.module_folders else None
    return [*release.addresses, *([proxy] if proxy else [])]


def make(tool_set: build.ToolSet, release: Release, folder: Path, progress: Progress) -> None:
    """Fill `folder` with `bin/` and `modules/`. Raises TransferError, and OSError for the disk."""
    hosts = dict.fromkeys(str(urlsplit(one).hostname) for one in addresses(tool_set, release))
    progress(f"downloading {tool_set.name} from {', '.join(hosts)}")
    session = Session()
    pool = ThreadPoolExecutor(_PARALLEL)
    try:
        _wait(_begin(tool_set, release, folder, session, pool), tool_set, session, progress)
    finally:
        session.stop.set()
        pool.shutdown(cancel_futures=True)
        session.close()
    progress(f"downloaded {tool_set.name}")


def _begin(
    tool_set: build.ToolSet,
    release: Release,
    folder: Path,
    session: Session,
    pool: ThreadPoolExecutor,
) -> list[Future[None]]:
    binaries = folder / "bin"
    if release.tools:
        binaries.mkdir()
    started = [
        pool.submit(_take, session, source, binaries / name)
        for name, source in release.tools.items()
    ]
    for name, (module, parts) in tool_set.module_folders.items():
        started.append(
            pool.submit(
                module_zips.take,
                session,
                module,
                build.version(tool_set, module),
                parts,
                folder / "modules" / name,
                h1=build.checksum(tool_set, module),
            )
        )
    return started


def _wait(
    started: list[Future[None]], tool_set: build.ToolSet, session: Session, progress: Progress
) -> None:
    pending = set(started)
    while pending:
        done, pending = wait(pending, _SECONDS_BETWEEN_REPORTS, return_when=FIRST_EXCEPTION)
        for one in done:
            one.result()
        if pending:
            progress(f"downloading {tool_set.name}: {session.received // 10**6} MB so far")


def _take(session: Session, source: File | Image, target: Path) -> None:
    if isinstance(source, File):
        _take_file(session, source, target)
    else:
        registries.take(session, source, target)
    target.chmod(0o755)


def _take_file(session: Session, source: File, target: Path) -> None:
    sha256 = source.sha256 or _published(session, source)
    if source.member is None:
        session.file(source.url, target, sha256=sha256)
        return
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".archive-") as archive:
        session.file(source.url, Path(archive.name), sha256=sha256)
        if not archives.take_from_tar(Path(archive.name), source.member, target):
            raise TransferError(f"{shown(source.url)} has no file {source.member}")


def _published(session: Session, source: File) -> str:
    """The digest in a list of checksums, or a digest alone."""
    if source.checksums is None:
        raise TransferError(f"{shown(source.url)} has no published checksum")
    name = PurePosixPath(urlsplit(source.url).path).name
    for line in session.text(source.checksums).splitlines():
        words = line.split()
        if words and re.fullmatch(r"[0-9a-fA-F]{64}", words[0]):
            # The star marks a file that was read as binary.
            given = words[1].removeprefix("*").removeprefix("./") if len(words) > 1 else name
            if given == name:
                return words[0].lower()
    raise TransferError(f"{shown(source.checksums)} has no checksum of {name}")
