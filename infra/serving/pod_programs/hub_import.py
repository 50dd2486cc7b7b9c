"""Copies one revision of a model from Hugging Face into a folder of a bucket, and checks it.

Each file is streamed: nothing is kept on disk, and no object appears before its size and digest are
right (the last part of a resumable upload is sent only then). A file that is there already is not
copied again. What was copied is written to `.import.json` in the folder, last: if that is there and
all its files are, the hub is not asked.

The hub: https://huggingface.co/docs/hub/api. The bucket: Cloud Storage's JSON API.
Ends with 0; 1, with one line that says what is wrong (also in /dev/termination-log).
"""

import argparse
import hashlib
import http.client
import json
import os
import re
import signal
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

MARKER = ".import.json"
DEFAULT_FILES = (
    *("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken", "*.vocab"),
    *("LICENSE*", "NOTICE*", "USE_POLICY*"),
)
PICKLES = (
    *(".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".dill"),
    *(".npy", ".npz", ".h5", ".keras", ".mar", ".pt2"),
)
"""Formats that can run code when they are loaded."""
PART = 16 * 2**20
"""Bytes of a part of an upload; a multiple of 256 KiB, as Cloud Storage wants it."""
AT_ONCE = 4
"""Files that are copied at a time."""
ATTEMPTS = 6
PATIENCE = 420.0
"""Seconds for which Google may refuse the pod's account: new grants take minutes to be known.

https://docs.cloud.google.com/iam/docs/access-change-propagation
"""
LONGEST_HEADER = 100_000_000
"""Bytes; https://github.com/huggingface/safetensors: the limit of its own reader."""
_PASSING = (408, 425, 429, 500, 502, 503, 504)
"""Statuses after which the same request may succeed."""
Json = Any
_T = TypeVar("_T")


class ImportFailedError(Exception):
    """The import cannot succeed; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of a revision, as the hub lists it."""

    path: str
    size: int
    digest: str
    """`sha256:…`, or `git:…` of small files: the SHA-1 of git's blob."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, and keeps the token from other hosts: the hub's storage is one."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following and urllib.parse.urlsplit(newurl).netloc != req.host:
            following.remove_header("Authorization")
        return following


_opener = urllib.request.build_opener(_Redirects())


def call(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    data: bytes | None = None,
) -> http.client.HTTPResponse:
    """The response to one request. Raises HTTPError for a status that is no success."""
    request = urllib.request.Request(url, data, dict(headers or {}), method=method)  # noqa: S310
    response: http.client.HTTPResponse = _opener.open(request, timeout=60)
    return response


def repeated(work: Callable[[], _T], what: str, *, pause: float = 1.0) -> _T:
    """The result of `work`, which is tried again after what may pass."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return work()
        except urllib.error.HTTPError as error:
            if error.code not in _PASSING or attempt == ATTEMPTS:
                raise
            reason = f"HTTP {error.code}"
        except (OSError, http.client.HTTPException) as error:
            if attempt == ATTEMPTS:
                raise ImportFailedError(f"{what}: {error or type(error).__name__}") from None
            reason = str(error) or type(error).__name__
        print(f"{what}: {reason}; again in {pause:g} s", flush=True)
        time.sleep(pause)
        pause = min(pause * 2, 30)
    raise AssertionError


class Hub:
    """The revisions of one repository on the hub."""

    def __init__(self, repository: str, *, endpoint: str, bearer: str | None) -> None:
        self.repository = repository
        self._endpoint = endpoint.rstrip("/")
        self._headers = {"User-Agent": "gke-platform-import/1"}
        if bearer:
            self._headers["Authorization"] = f"Bearer {bearer}"
        self._signs_in = bearer is not None

    def commit(self, revision: str) -> str:
        """The commit that a revision is now."""
        quoted = urllib.parse.quote(revision, safe="")
        url = f"{self._endpoint}/api/models/{self.repository}/revision/{quoted}"
        found = self._json(url, f"revision {revision} of {self.repository}")[0].get("sha")
        if not isinstance(found, str):
            raise ImportFailedError(f"{self.repository}: the hub names no commit of {revision}")
        return found

    def files(self, commit: str) -> list[File]:
        """All files of a commit."""
        url: str | None = (
            f"{self._endpoint}/api/models/{self.repository}/tree/{commit}?recursive=true"
        )
        found: list[File] = []
        while url:
            listed, url = self._json(url, f"the files of {self.repository}")
            for one in listed:
                if one.get("type") != "file":
                    continue
                large = one.get("lfs")
                size = int(large["size"] if large else one["size"])
                digest = f"sha256:{large['oid']}" if large else f"git:{one['oid']}"
                found.append(File(one["path"], size, digest))
        return found

    def content(self, commit: str, file: File) -> Iterator[bytes]:
        """The content of a file, in parts of any size; continued where it was cut off."""
        url = f"{self._endpoint}/{self.repository}/resolve/{commit}/{urllib.parse.quote(file.path)}"
        offset = 0
        failures = 0
        while offset < file.size:
            headers = {**self._headers, **({"Range": f"bytes={offset}-"} if offset else {})}
            response = repeated(partial(self._get, url, headers), file.path)
            before = offset
            with response:
                if offset and response.status != http.HTTPStatus.PARTIAL_CONTENT:
                    _skip(response, offset)
                with suppress(OSError, http.client.HTTPException):
                    while data := response.read(2**20):
                        offset += len(data)
                        yield data
            failures = 0 if offset > before else failures + 1
            if failures == ATTEMPTS:
                raise ImportFailedError(f"{file.path}: cut off at byte {offset} of {file.size}")

    def _json(self, url: str, what: str) -> tuple[Json, str | None]:
        """The decoded answer, and the URL of the next page."""

        def read() -> tuple[Json, str | None]:
            with self._get(url, self._headers) as response:
                link = re.search(r'<([^>]+)>;\s*rel="next"', response.headers.get("Link") or "")
                following = urllib.parse.urljoin(url, link[1]) if link else None
                return json.loads(response.read()), following

        return repeated(read, what)

    def _get(self, url: str, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        try:
            return call(url, headers=headers)
        except urllib.error.HTTPError as error:
            if error.code in _PASSING:
                raise
            raise ImportFailedError(self._explained(error)) from None

    def _explained(self, error: urllib.error.HTTPError) -> str:
        name = self.repository
        code = error.headers.get("X-Error-Code") or ""
        if code == "GatedRepo":
            return (
                f"{name} is gated: accept its licence on the hub with the token's account"
                if self._signs_in
                else f"{name} is gated: set import.token, of an account that accepted its licence"
            )
        if code == "RevisionNotFound":
            return f"{name} has no such revision; correct import.revision"
        if code == "EntryNotFound":
            return f"{name} has no {urllib.parse.urlsplit(error.url or '').path} any more"
        if error.code in (401, 403):
            return (
                f"the token may not read {name}, or there is no such model; correct import.token "
                "or import.from"
                if self._signs_in
                else f"{name} is private or does not exist; correct import.from, or set "
                "import.token"
            )
        if error.code == http.HTTPStatus.NOT_FOUND:
            return f"there is no model {name}, or not this revision; correct the import"
        return f"the hub answers {error.code} for {name}"


class Bucket:
    """A folder of a bucket, written as the pod's own account."""

    def __init__(self, url: str, *, endpoint: str, metadata: str) -> None:
        self.name, _, self.folder = url.removeprefix("gs://").partition("/")
        self._endpoint = endpoint.rstrip("/")
        self._metadata = metadata
        self._bearer = ""
        self._until = 0.0
        self._patient_until = time.monotonic() + PATIENCE

    def find(self, path: str) -> Json | None:
        """The metadata of an object of the folder; None if there is none."""
        return self._read(path, "")

    def text(self, path: str) -> str | None:
        """The content of a small object of the folder; None if there is none."""
        found: str | None = self._read(path, "?alt=media", decoded=False)
        return found

    def _read(self, path: str, query: str, *, decoded: bool = True) -> Any:
        quoted = urllib.parse.quote(f"{self.folder}/{path}", safe="")

        def read() -> Any:
            url = f"{self._endpoint}/storage/v1/b/{self.name}/o/{quoted}{query}"
            with call(url, headers=self._headers()) as response:
                body = response.read().decode()
            return json.loads(body) if decoded else body

        try:
            return self._granted(read, path)
        except urllib.error.HTTPError as error:
            if error.code == http.HTTPStatus.NOT_FOUND:
                return None
            raise self._refused(error) from None

    def write(self, path: str, size: int, digest: str, parts: Iterator[bytes]) -> None:
        """Write an object. It appears with its last part, and not at all if `parts` raises."""
        session = self._begin(path, size, digest)
        offset = 0
        for part in parts:
            self._put(session, part, offset, size, path)
            offset += len(part)
        if size == 0:
            self._put(session, b"", 0, 0, path)

    def _begin(self, path: str, size: int, digest: str) -> str:
        query = urllib.parse.urlencode({"uploadType": "resumable", "name": f"{self.folder}/{path}"})
        url = f"{self._endpoint}/upload/storage/v1/b/{self.name}/o?{query}"
        body = json.dumps({"metadata": {"digest": digest}}).encode()

        def begin() -> str:
            headers = {
                **self._headers(),
                "Content-Type": "application/json",
                "X-Upload-Content-Length": str(size),
            }
            with call(url, method="POST", headers=headers, data=body) as response:
                return str(response.headers["Location"])

        try:
            return self._granted(begin, path)
        except urllib.error.HTTPError as error:
            raise self._refused(error) from None

    def _put(self, session: str, part: bytes, offset: int, size: int, path: str) -> None:
        """Send a part; of one that arrived in part, the rest."""
        done = 0
        failures = 0
        while True:
            rest = part[done:]
            first = offset + done
            span = f"bytes {first}-{first + len(rest) - 1}/{size}" if rest else f"bytes */{size}"
            try:
                call(session, method="PUT", headers={"Content-Range": span}, data=rest).close()
                return  # the object is complete
            except urllib.error.HTTPError as error:
                if error.code == http.HTTPStatus.PERMANENT_REDIRECT:
                    done = max(done, _received(error) - offset)
                    if done >= len(part) and offset + len(part) < size:
                        return
                elif error.code not in _PASSING:
                    raise self._refused(error) from None
            except (OSError, http.client.HTTPException):
                pass
            failures += 1
            if failures > ATTEMPTS:
                raise ImportFailedError(f"{path}: the upload is cut off again and again")
            time.sleep(min(2 ** (failures - 1), 30))
            state = self._state(session, size, path)
            if state is None:
                return
            done = max(0, state - offset)
            if done >= len(part) and offset + len(part) < size:
                return

    def _state(self, session: str, size: int, path: str) -> int | None:
        """How many bytes of an upload have arrived; None: all, and the object is there."""

        def ask() -> int | None:
            headers = {"Content-Range": f"bytes */{size}"}
            try:
                call(session, method="PUT", headers=headers, data=b"").close()
            except urllib.error.HTTPError as error:
                if error.code == http.HTTPStatus.PERMANENT_REDIRECT:
                    return _received(error)
                raise
            return None

        try:
            return repeated(ask, path)
        except urllib.error.HTTPError as error:
            raise self._refused(error) from None

    def _granted(self, work: Callable[[], _T], what: str) -> _T:
        """The result of `work`, which is tried again while its grant may not be known yet."""
        while True:
            try:
                return repeated(work, what)
            except urllib.error.HTTPError as error:
                if error.code not in (401, 403) or time.monotonic() > self._patient_until:
                    raise
                print(f"{what}: HTTP {error.code}; the grant may be new: again", flush=True)
                self._until = 0.0
                time.sleep(min(10.0, PATIENCE / 10))

    def _headers(self) -> dict[str, str]:
        if time.monotonic() > self._until:
            found = repeated(self._identity, "the pod's identity")
            self._bearer = str(found["access_token"])
            self._until = time.monotonic() + max(0, int(found["expires_in"]) - 120)
        return {"Authorization": f"Bearer {self._bearer}"}

    def _identity(self) -> Json:
        path = "computeMetadata/v1/instance/service-accounts/default/token"
        headers = {"Metadata-Flavor": "Google"}
        with call(f"http://{self._metadata}/{path}", headers=headers) as response:
            return json.loads(response.read())

    def _refused(self, error: urllib.error.HTTPError) -> ImportFailedError:
        where = f"gs://{self.name}/{self.folder}"
        try:
            reason = str(json.loads(error.read())["error"]["message"])
        except (ValueError, KeyError, TypeError, OSError):
            reason = f"HTTP {error.code}"
        return ImportFailedError(f"Cloud Storage refuses to write to {where}: {reason}")


def selected(
    files: Sequence[File], include: Sequence[str], exclude: Sequence[str], *, pickles: bool
) -> list[File]:
    """The files to copy, the small ones first."""
    patterns = include or DEFAULT_FILES
    chosen = [
        one for one in files if _matches(one.path, patterns) and not _matches(one.path, exclude)
    ]
    weights = [one.path for one in files if _is_pickle(one.path)]
    refused = [one.path for one in chosen if _is_pickle(one.path)]
    if refused and not pickles:
        raise ImportFailedError(
            f"{_few(refused)} can run code when loaded; take safetensors, or set import.pickles: "
            "true if you trust its author"
        )
    if not chosen:
        raise ImportFailedError(
            f"no file matches {', '.join(patterns)}; the revision has "
            f"{_few([one.path for one in files])}; correct import.include"
        )
    if not include and not any(one.path.endswith(".safetensors") for one in chosen):
        has = f"it has {_few(weights)}" if weights else f"it has {_few([f.path for f in files])}"
        raise ImportFailedError(
            f"the revision has no *.safetensors; {has}; choose one that has, or set import.include"
        )
    for one in chosen:
        if one.path.startswith("/") or ".." in one.path.split("/") or one.path == MARKER:
            raise ImportFailedError(f"{one.path} is not a path below the folder")
    return sorted(chosen, key=lambda one: (one.size, one.path))


def missing_shards(index: bytes, files: Sequence[File], path: str) -> list[str]:
    """The shards that an index of weights names and that are not among `files`."""
    try:
        named = set(json.loads(index)["weight_map"].values())
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ImportFailedError(f"{path} is no index of weights") from None
    folder = path.rpartition("/")[0]
    known = {one.path for one in files}
    return sorted(one for one in named if (f"{folder}/{one}" if folder else one) not in known)


def checked(file: File, content: Iterator[bytes]) -> Iterator[bytes]:
    """The content in parts of `PART`; raises instead of yielding the last part of a wrong file."""
    algorithm, _, expected = file.digest.partition(":")
    digest = hashlib.sha256() if algorithm == "sha256" else hashlib.sha1(usedforsecurity=False)
    if algorithm == "git":
        digest.update(f"blob {file.size}\0".encode())
    held = bytearray()
    size, is_first = 0, True
    for data in content:
        digest.update(data)
        size += len(data)
        held += data
        if size > file.size:
            break
        while len(held) > PART:
            if is_first:
                _check_header(file, held)
            is_first = False
            yield bytes(held[:PART])
            del held[:PART]
    if size != file.size:
        raise ImportFailedError(f"{file.path} has {size} bytes, and the hub lists {file.size}")
    if digest.hexdigest() != expected:
        raise ImportFailedError(
            f"{file.path}: its {algorithm} digest is {digest.hexdigest()}, and the hub lists "
            f"{expected}"
        )
    if is_first:
        _check_header(file, held)
    if held:
        yield bytes(held)


def _check_header(file: File, start: bytes | bytearray) -> None:
    """Refuses a file of the name *.safetensors that is none."""
    if not file.path.endswith(".safetensors"):
        return
    length = int.from_bytes(start[:8], "little")
    if file.size < 10 or length > min(LONGEST_HEADER, file.size - 8) or start[8:9] != b"{":
        raise ImportFailedError(f"{file.path} is not in the format safetensors")


def run(
    hub: Hub,
    bucket: Bucket,
    revision: str,
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    pickles: bool = False,
    largest: int | None = None,
) -> str:
    """Import a revision, and say what was done. Raises ImportFailedError."""
    if done := _done(bucket):
        return f"{hub.repository}@{done['commit'][:12]} is in the bucket already"
    commit = hub.commit(revision)
    files = selected(hub.files(commit), include, exclude, pickles=pickles)
    total = sum(one.size for one in files)
    if largest is not None and total > largest:
        raise ImportFailedError(
            f"{hub.repository}@{commit[:12]} has {_gibibytes(total)}, and the pods have room for "
            f"{_gibibytes(largest)}; raise the size, or leave out files by import.exclude"
        )
    for one in files:
        if one.path.endswith(".safetensors.index.json"):
            index = b"".join(checked(one, hub.content(commit, one)))
            if missing := missing_shards(index, files, one.path):
                raise ImportFailedError(
                    f"{one.path} names {_few(missing)}, which are not imported; correct "
                    "import.include or import.exclude"
                )
    with ThreadPoolExecutor(AT_ONCE) as pool:
        copies = [pool.submit(_copy, hub, bucket, commit, one) for one in files]
        try:
            for copy in copies:
                copy.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    record = {
        "from": f"hf://{hub.repository}",
        "revision": revision,
        "commit": commit,
        "files": [asdict(one) for one in files],
    }
    text = json.dumps(record, indent=1).encode()
    bucket.write(MARKER, len(text), "", iter([text]))
    return f"{hub.repository}@{commit[:12]}: {len(files)} files, {_gibibytes(total)}"


def _done(bucket: Bucket) -> Json | None:
    """The record of an import that is complete; None: it is not, or files were deleted."""
    text = bucket.text(MARKER)
    if text is None:
        return None
    record = json.loads(text)
    for one in record["files"]:
        found = bucket.find(one["path"])
        if found is None or int(found["size"]) != one["size"]:
            return None
    return record


def _copy(hub: Hub, bucket: Bucket, commit: str, file: File) -> None:
    found = bucket.find(file.path)
    if found is not None and int(found["size"]) == file.size:
        same = (found.get("metadata") or {}).get("digest") == file.digest
        if same:
            return
    bucket.write(file.path, file.size, file.digest, checked(file, hub.content(commit, file)))
    print(f"{file.path}: {file.size} bytes, {file.digest}", flush=True)


def _received(error: urllib.error.HTTPError) -> int:
    """The bytes that have arrived, by the header `Range: bytes=0-N` of a 308."""
    found = re.fullmatch(r"bytes=0-(\d+)", error.headers.get("Range") or "")
    return int(found[1]) + 1 if found else 0


def _skip(response: http.client.HTTPResponse, count: int) -> None:
    while count > 0 and (data := response.read(min(count, 2**20))):
        count -= len(data)


def _matches(path: str, patterns: Sequence[str]) -> bool:
    name = path.rpartition("/")[2]
    return any(fnmatchcase(path, one) or fnmatchcase(name, one) for one in patterns)


def _is_pickle(path: str) -> bool:
    return path.lower().endswith(PICKLES)


def _few(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    shown = ", ".join(names[:3]) or "no file"
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


def _gibibytes(size: int) -> str:
    return f"{size / 2**30:.3g} GiB"


def _content(path: str | None) -> str | None:
    """The text of a file that a variable names; None: it is not set, or the file is empty."""
    return (Path(path).read_text().strip() or None) if path else None


def main(words: Sequence[str] | None = None) -> int:
    """Import what the command line says."""
    parser = argparse.ArgumentParser(description="Import a model from Hugging Face.")
    parser.add_argument("repository")
    parser.add_argument("revision")
    parser.add_argument("folder", help="gs://bucket/path")
    parser.add_argument("--include", action="append", default=[])
    parser.add_argument("--exclude", action="append", default=[])
    parser.add_argument("--pickles", action="store_true")
    parser.add_argument("--largest", type=int, help="bytes")
    given = parser.parse_args(words)
    environment = os.environ
    hub = Hub(
        given.repository,
        endpoint=environment.get("HF_ENDPOINT") or "https://huggingface.co",
        bearer=_content(environment.get("HF_TOKEN_PATH")),
    )
    bucket = Bucket(
        given.folder,
        endpoint=environment.get("STORAGE_ENDPOINT") or "https://storage.googleapis.com",
        metadata=environment.get("GCE_METADATA_HOST") or "metadata.google.internal",
    )
    try:
        said = run(
            hub,
            bucket,
            given.revision,
            include=given.include,
            exclude=given.exclude,
            pickles=given.pickles,
            largest=given.largest,
        )
    except ImportFailedError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        with suppress(OSError):
            Path(environment.get("TERMINATION_LOG") or "/dev/termination-log").write_text(
                str(error)[:2000]
            )
        return 1
    print(said, flush=True)
    return 0


if __name__ == "__main__":
    # The first process of a container is not ended by a signal that it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(1))
    sys.exit(main())
