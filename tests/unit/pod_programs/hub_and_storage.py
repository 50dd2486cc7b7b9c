"""A server on loopback that speaks the hub's API, Cloud Storage's and the metadata server's.

It keeps what is uploaded as Cloud Storage does: an object exists once its last part has arrived.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "c" * 40
QUANTUM = 256 * 1024


@dataclass
class World:
    """What the server has, and how it misbehaves."""

    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    """Of the repository acme/words."""
    large: frozenset[str] = frozenset()
    """The files that the hub keeps apart, by SHA-256."""
    objects: dict[str, bytes] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    token: str | None = None
    """The token that the hub asks for."""
    code: str = ""
    """The hub's error code."""
    changed: dict[str, bytes] = field(default_factory=dict)
    """What a file has instead, when it is read."""
    cut_after: int | None = None
    """Bytes after which each first answer of a file is cut off."""
    busy: int = 0
    """How many of the next requests are answered 503."""
    refused: int = 0
    """How many of the next requests to the bucket are answered 403."""
    lose_parts: int = 0
    """How many of the next parts of uploads arrive by half, and are answered 503."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    authorizations: list[tuple[str, str | None]] = field(default_factory=list)
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HF_ENDPOINT": self.url,
            "STORAGE_ENDPOINT": self.url,
            "GCE_METADATA_HOST": f"127.0.0.1:{self.port}",
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    world: World

    def log_message(self, *_: object) -> None:
        pass

    def _send(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _json(self, value: object, status: int = 200, **headers: str) -> None:
        self._send(status, json.dumps(value).encode(), **headers)

    def _begin(self) -> tuple[str, dict[str, list[str]], bytes] | None:
        split = urlsplit(self.path)
        world = self.world
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        world.asked.append((self.command, self.path))
        world.authorizations.append((split.path, self.headers.get("Authorization")))
        if world.busy > 0 and not split.path.startswith("/computeMetadata"):
            world.busy -= 1
            self._send(503)
            return None
        if world.refused > 0 and "/storage/v1/" in split.path:
            world.refused -= 1
            self._json({"error": {"message": "no storage.objects.create"}}, 403)
            return None
        return split.path, parse_qs(split.query), body

    def do_GET(self) -> None:
        if (begun := self._begin()) is None:
            return
        path, query, _ = begun
        if path.startswith("/computeMetadata/"):
            self._json({"access_token": "pod", "expires_in": 3600})
        elif path.startswith("/storage/v1/b/"):
            self._storage(path, query)
        elif path.startswith("/cdn/"):
            self._content(unquote(path.removeprefix("/cdn/")))
        else:
            self._hub(path, query)

    def _hub(self, path: str, query: dict[str, list[str]]) -> None:
        world = self.world
        if world.token and self.headers.get("Authorization") != f"Bearer {world.token}":
            self._send(401, X_Error_Code=world.code)
            return
        if path == "/api/models/acme/words/revision/v1.0":
            self._json({"sha": COMMIT})
        elif path == f"/api/models/acme/words/tree/{COMMIT}":
            listed: list[dict[str, Any]] = [{"type": "directory", "path": "sub", "oid": "0"}]
            for name, content in world.files.items():
                blob = f"blob {len(content)}\0".encode() + content
                one: dict[str, Any] = {"type": "file", "path": name, "size": len(content)}
                one["oid"] = hashlib.sha1(blob).hexdigest()
                if name in world.large:
                    digest = hashlib.sha256(content).hexdigest()
                    one["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 134}
                listed.append(one)
            first = int(query.get("cursor", ["0"])[0])
            more: dict[str, str] = {}
            if first + 3 < len(listed):
                link = f"{world.url}{path}?recursive=true&cursor={first + 3}"
                more = {"Link": f'<{link}>; rel="next"'}
            self._json(listed[first : first + 3], 200, **more)
        elif path.startswith(f"/acme/words/resolve/{COMMIT}/"):
            name = unquote(path.removeprefix(f"/acme/words/resolve/{COMMIT}/"))
            if name in world.large:
                # Another host, as the hub's storage is.
                location = f"http://localhost:{world.port}/cdn/{name}"
                self._send(302, Location=location)
            else:
                self._content(name)
        else:
            self._send(404, X_Error_Code=world.code)

    def _content(self, name: str) -> None:
        content = self.world.changed.get(name, self.world.files[name])
        start = 0
        if found := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or ""):
            start = int(found[1])
        rest = content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        cut = self.world.cut_after
        if cut is not None and not start:
            self.wfile.write(rest[:cut])
            self.close_connection = True
            return
        self.wfile.write(rest)

    def _storage(self, path: str, query: dict[str, list[str]]) -> None:
        world = self.world
        bucket, _, rest = path.removeprefix("/storage/v1/b/").partition("/o")
        assert bucket == "models"
        if not rest:
            prefix = query["prefix"][0]
            items = [self._resource(n) for n in sorted(world.objects) if n.startswith(prefix)]
            first = int(query.get("pageToken", ["0"])[0])
            page: dict[str, Any] = {"items": items[first : first + 1]}
            if first + 1 < len(items):
                page["nextPageToken"] = str(first + 1)
            self._json(page)
            return
        name = unquote(rest.removeprefix("/"))
        if name not in world.objects:
            self._json({"error": {"message": "No such object"}}, 404)
        elif query.get("alt") == ["media"]:
            self._send(200, world.changed.get(name, world.objects[name]))
        else:
            self._json(self._resource(name))

    def _resource(self, name: str) -> dict[str, Any]:
        content = self.world.objects[name]
        md5 = base64.b64encode(hashlib.md5(content).digest()).decode()
        digest = self.world.digests.get(name, "")
        return {
            "name": name,
            "size": str(len(content)),
            "md5Hash": md5,
            "metadata": {"digest": digest},
        }

    def do_POST(self) -> None:
        if (begun := self._begin()) is None:
            return
        path, query, body = begun
        assert path == "/upload/storage/v1/b/models/o"
        assert query["uploadType"] == ["resumable"]
        key = str(len(self.world.sessions))
        self.world.sessions[key] = {
            "name": query["name"][0],
            "digest": json.loads(body)["metadata"]["digest"],
            "size": int(self.headers["X-Upload-Content-Length"]),
            "got": b"",
        }
        self._send(200, Location=f"{self.world.url}/session/{key}")

    def do_PUT(self) -> None:
        if (begun := self._begin()) is None:
            return
        path, _, body = begun
        session = self.world.sessions[path.removeprefix("/session/")]
        span = self.headers["Content-Range"]
        size = session["size"]
        if not span.startswith("bytes */"):
            first, last, total = (int(one) for one in re.findall(r"\d+", span))
            assert total == size
            assert last - first + 1 == len(body)
            assert first == len(session["got"])
            assert last + 1 == size or len(body) % QUANTUM == 0
            if self.world.lose_parts > 0:
                self.world.lose_parts -= 1
                session["got"] += body[: len(body) // 2 // QUANTUM * QUANTUM]
                self._send(503)
                return
            session["got"] += body
        if len(session["got"]) == size:
            self.world.objects[session["name"]] = session["got"]
            self.world.digests[session["name"]] = session["digest"]
            self._send(200)
        elif session["got"]:
            self._send(308, Range=f"bytes=0-{len(session['got']) - 1}")
        else:
            self._send(308)


@contextmanager
def served(world: World) -> Iterator[World]:
    """Serve a world on a free port."""
    handler = type("Handler", (_Handler,), {"world": world})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # callers hang up
    world.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield world
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
