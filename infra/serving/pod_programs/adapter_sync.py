"""Keeps the LoRA adapters of a vLLM server as a file lists them. Runs beside the server.

The file is mounted from a ConfigMap, which the kubelet renews about a minute after a change. An
adapter's files are copied from its bucket to the pod's disk and checked; then the server is told to
load it. What is no longer listed is unloaded. A server that starts again gets all of them again.

Each adapter that is loaded gets a first request of one token. It shows that the adapter works, and
vLLM's gauge `vllm:lora_requests_info` has no series before a first request: without one, the
endpoint picker of the Inference Gateway takes the pod for full.

The server's API: vLLM 0.33, https://docs.vllm.ai/en/latest/features/lora/. The pod is ready
(`--ready`) once each adapter has been tried: one that is broken does not keep a pod from serving
the others, and what is wrong with it is in the log.
"""

import argparse
import base64
import hashlib
import http.client
import json
import os
import shutil
import signal
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import Any

PERIOD = 5.0
"""Seconds between two looks at the file and the server."""
RETRY = 60.0
"""Seconds after which an adapter that failed is tried again."""
LARGEST_CONFIG = 2**20
FIRST_REQUESTS = (
    ("completions", {"prompt": "a", "max_tokens": 1}),
    ("embeddings", {"input": "a"}),
)
"""Path and body of an adapter's first request: a server has the path of its own task alone."""
Json = Any


class AdapterError(Exception):
    """An adapter cannot be loaded; the message says why."""


class NotFoundError(AdapterError):
    """The server has no such path, or no such model."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An adapter of the list."""

    name: str
    source: str
    """The folder of its files, `gs://bucket/path`."""
    folder: str
    """The name of its folder on the disk; another source has another."""


def read(path: Path) -> list[Wanted]:
    """The list."""
    return [
        Wanted(one["name"], one["source"], one["folder"]) for one in json.loads(path.read_text())
    ]


def call(url: str, *, headers: Mapping[str, str] | None = None, body: Json = None) -> bytes:
    """The body of the answer to a GET, or to a POST of JSON."""
    data = None if body is None else json.dumps(body).encode()
    named = {**(headers or {}), **({"Content-Type": "application/json"} if data else {})}
    request = urllib.request.Request(url, data, named)  # noqa: S310
    with urllib.request.urlopen(request, timeout=300) as response:  # noqa: S310
        found: bytes = response.read()
    return found


class Storage:
    """Cloud Storage, read as the pod's own account."""

    def __init__(self, *, endpoint: str, metadata: str) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._metadata = metadata
        self._bearer = ""
        self._until = 0.0

    def fetch(self, source: str, target: Path) -> None:
        """Copy the objects below `source` into a new folder, and check size and digest of each."""
        bucket, _, prefix = source.removeprefix("gs://").partition("/")
        objects = self._listed(bucket, f"{prefix}/")
        if not objects:
            raise AdapterError(f"{source} has no files")
        for one in objects:
            path = PurePosixPath(one["name"].removeprefix(f"{prefix}/"))
            if ".." in path.parts or path.is_absolute():
                raise AdapterError(f"{one['name']} is not a path below the folder")
            self._copy(bucket, one, target / path)

    def _listed(self, bucket: str, prefix: str) -> list[Json]:
        found: list[Json] = []
        following = ""
        while True:
            query = {"prefix": prefix, **({"pageToken": following} if following else {})}
            url = f"{self._endpoint}/storage/v1/b/{bucket}/o?{urllib.parse.urlencode(query)}"
            page = json.loads(call(url, headers=self._headers()))
            found += [one for one in page.get("items") or () if not one["name"].endswith("/")]
            following = page.get("nextPageToken") or ""
            if not following:
                return found

    def _copy(self, bucket: str, one: Json, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        name = urllib.parse.quote(one["name"], safe="")
        url = f"{self._endpoint}/storage/v1/b/{bucket}/o/{name}?alt=media"
        digest = hashlib.md5(usedforsecurity=False)
        request = urllib.request.Request(url, headers=self._headers())  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as response, target.open("wb") as file:  # noqa: S310
            while data := response.read(2**20):
                digest.update(data)
                file.write(data)
        size = target.stat().st_size
        if size != int(one["size"]):
            raise AdapterError(f"{one['name']} has {size} bytes, not {one['size']}")
        # Composite objects have no MD5.
        expected = one.get("md5Hash")
        if expected and base64.b64encode(digest.digest()).decode() != expected:
            raise AdapterError(f"{one['name']} was changed on its way: its MD5 differs")

    def _headers(self) -> dict[str, str]:
        if time.monotonic() > self._until:
            path = "computeMetadata/v1/instance/service-accounts/default/token"
            url = f"http://{self._metadata}/{path}"
            found = json.loads(call(url, headers={"Metadata-Flavor": "Google"}))
            self._bearer = str(found["access_token"])
            self._until = time.monotonic() + max(0, int(found["expires_in"]) - 120)
        return {"Authorization": f"Bearer {self._bearer}"}


def check(folder: Path, *, max_rank: int) -> None:
    """Refuses files that are no LoRA adapter of safetensors, or one of a larger rank."""
    config = folder / "adapter_config.json"
    if not config.is_file() or config.stat().st_size > LARGEST_CONFIG:
        raise AdapterError("it has no adapter_config.json")
    if not (folder / "adapter_model.safetensors").is_file():
        raise AdapterError("it has no adapter_model.safetensors")
    try:
        found = json.loads(config.read_text())
        kind, rank = found.get("peft_type"), int(found.get("r", 0))
    except (ValueError, TypeError, AttributeError):
        raise AdapterError("its adapter_config.json cannot be read") from None
    if kind != "LORA":
        raise AdapterError(f"it is of kind {kind}, not LORA")
    if rank > max_rank:
        raise AdapterError(f"it has rank {rank}, and lora.max_rank is {max_rank}")


class Sync:
    """Brings the server to the state that the list has."""

    def __init__(self, server: str, storage: Storage, disk: Path, *, max_rank: int) -> None:
        self._server = server.rstrip("/")
        self._storage = storage
        self._disk = disk
        self._max_rank = max_rank
        self._failed: dict[Wanted, float] = {}
        self._answered: set[Wanted] = set()
        """Those that have answered a first request since they were loaded."""

    def once(self, wanted: Sequence[Wanted]) -> bool:
        """Load and unload what differs. Whether the server answers, and all have been tried."""
        try:
            served = self._served()
        except (OSError, http.client.HTTPException, ValueError):
            self._prepare(wanted)  # while the server loads its model
            return False
        for one in wanted:
            is_loaded = served.get(one.name) == str(self._disk / one.folder)
            if not is_loaded:
                self._answered.discard(one)
            if one not in self._answered and self._is_due(one):
                self._try(one, load=not is_loaded, replaces=one.name in served, asks=True)
        names = {one.name for one in wanted}
        for name in served.keys() - names:
            self._post("unload_lora_adapter", {"lora_name": name})
            print(f"unloaded {name}", flush=True)
        used = {one.folder for one in wanted}
        for path in self._disk.iterdir():
            if path.name.removesuffix(".part") not in used:
                shutil.rmtree(path, ignore_errors=True)
        return True

    def _prepare(self, wanted: Sequence[Wanted]) -> None:
        for one in wanted:
            if self._is_due(one):
                self._try(one, load=False, replaces=False, asks=False)

    def _try(self, one: Wanted, *, load: bool, replaces: bool, asks: bool) -> None:
        try:
            folder = self._fetched(one)
            if load:
                body = {"lora_name": one.name, "lora_path": str(folder), "load_inplace": replaces}
                self._post("load_lora_adapter", body)
                print(f"loaded {one.name} from {one.source}", flush=True)
            if asks:
                self._ask(one)
                self._answered.add(one)
            self._failed.pop(one, None)
        except (AdapterError, OSError, http.client.HTTPException, ValueError) as error:
            self._failed[one] = time.monotonic()
            print(f"adapter {one.name} ({one.source}): {error}", file=sys.stderr, flush=True)

    def _ask(self, one: Wanted) -> None:
        """Send its first request. `AdapterError` if it is not answered."""
        reason = ""
        for path, body in FIRST_REQUESTS:
            try:
                self._post(path, {"model": one.name, **body})
            except NotFoundError as error:
                reason = reason or str(error)
                continue
            except AdapterError as error:
                reason = str(error)
                break
            return
        raise AdapterError(f"it is loaded, and its first request fails: {reason}")

    def _is_due(self, one: Wanted) -> bool:
        failed = self._failed.get(one)
        return failed is None or time.monotonic() - failed >= RETRY

    def _fetched(self, one: Wanted) -> Path:
        """The folder of its files, which appears when they are complete."""
        folder = self._disk / one.folder
        if folder.is_dir():
            return folder
        part = self._disk / f"{one.folder}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            self._storage.fetch(one.source, part)
            check(part, max_rank=self._max_rank)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        part.rename(folder)
        return folder

    def _served(self) -> dict[str, str]:
        """The adapters that the server has, with their folders. Only they have a parent."""
        listed = json.loads(call(f"{self._server}/v1/models"))["data"]
        return {one["id"]: one["root"] for one in listed if one.get("parent")}

    def _post(self, verb: str, body: Json) -> None:
        try:
            call(f"{self._server}/v1/{verb}", body=body)
        except urllib.error.HTTPError as error:
            try:
                reason = str(json.loads(error.read())["error"]["message"])
            except (ValueError, KeyError, TypeError, OSError):
                reason = f"HTTP {error.code}"
            kind = NotFoundError if error.code == HTTPStatus.NOT_FOUND else AdapterError
            raise kind(reason) from None


def main(words: Sequence[str] | None = None) -> int:
    """Reconcile until the pod ends."""
    parser = argparse.ArgumentParser(description="Keep the LoRA adapters of a vLLM server.")
    parser.add_argument("--list", type=Path, required=True)
    parser.add_argument("--server", required=True, help="URL of the server")
    parser.add_argument("--disk", type=Path, required=True, help="folder of the adapters' files")
    parser.add_argument("--ready", type=Path, required=True, help="file that says: all were tried")
    parser.add_argument("--max-rank", type=int, required=True)
    parser.add_argument("--once", action="store_true", help="end after one look")
    given = parser.parse_args(words)
    if not given.once:
        # The first process of a container is not ended by a signal that it does not handle.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    storage = Storage(
        endpoint=os.environ.get("STORAGE_ENDPOINT") or "https://storage.googleapis.com",
        metadata=os.environ.get("GCE_METADATA_HOST") or "metadata.google.internal",
    )
    sync = Sync(given.server, storage, given.disk, max_rank=given.max_rank)
    while True:
        try:
            if sync.once(read(given.list)):
                given.ready.touch()
        except Exception as error:
            print(f"adapters: {error!r}", file=sys.stderr, flush=True)
        if given.once:
            return 0
        time.sleep(PERIOD)


if __name__ == "__main__":
    sys.exit(main())
