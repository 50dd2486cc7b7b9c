"""A server of releases on this machine, whose answers a test may spoil."""

import base64
import hashlib
import io
import json
import ssl
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PROGRAM = b"#!/bin/sh\necho released\n"
INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass
class Answer:
    """`cut` bytes are promised and not sent; `wait` holds the rest back until the test ends."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0
    wait: bool = False


class ReleaseServer:
    """Answers by path, and the requests that it got."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer | Callable[[dict[str, str]], Answer]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.over = threading.Event()
        self.port, self.scheme = 0, "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def paths(self) -> list[str]:
        """What was asked for, apart from the question whether it can be reached."""
        return [path for path, _ in self.asked if path != "/"]

    def image(self, repository: str, *layers: bytes, architecture: str = "amd64") -> str:
        """Publish an image by the tag v1; returns its repository's address."""
        root = f"/v2/{repository}"
        described = []
        for layer in layers:
            digest = f"sha256:{hashlib.sha256(layer).hexdigest()}"
            self.answers[f"{root}/blobs/{digest}"] = Answer(layer)
            described.append({"digest": digest, "size": len(layer)})
        manifest = json.dumps({"layers": described}).encode()
        digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        self.answers[f"{root}/manifests/{digest}"] = Answer(manifest)
        platform = {"os": "linux", "architecture": architecture}
        index = {"mediaType": INDEX, "manifests": [{"digest": digest, "platform": platform}]}
        self.answers[f"{root}/manifests/v1"] = Answer(json.dumps(index).encode())
        return f"{self.url}{root}"


@contextmanager
def serving(port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[ReleaseServer]:
    """A running server."""
    found = ReleaseServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            found.asked.append((self.path, dict(self.headers)))
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            found.asked.append((self.path, headers))
            answer = found.answers.get(self.path.partition("?")[0], Answer(status=404))
            if not isinstance(answer, Answer):
                answer = answer(headers)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body) + answer.cut))
            self.end_headers()
            self.wfile.write(answer.body)
            if answer.wait:
                self.wfile.flush()
                found.over.wait(60)
            self.close_connection = bool(answer.cut)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        found.scheme = "https"
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.over.set()
        server.shutdown()
        server.server_close()


def tar(members: dict[str, bytes], *, links: dict[str, str] | None = None) -> bytes:
    """A tar with gzip."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    return buffer.getvalue()


def module_zip(files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> tuple[bytes, str]:
    """A module's zip, and the hash that go.sum has of it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    lines = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in sorted(files.items())
    )
    total = hashlib.sha256(lines.encode()).digest()
    return buffer.getvalue(), f"h1:{base64.b64encode(total).decode()}"


def digest(content: bytes) -> str:
    """The SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
