"""Files and texts over HTTP: complete, of the promised digest, or a TransferError.

Proxies come from the usual variables (HTTPS_PROXY, NO_PROXY), and authorities from the machine, as
well as from certifi and SSL_CERT_FILE. It does not know what it transfers.
"""

from __future__ import annotations

import hashlib
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import certifi
import httpx

_CONNECT_SECONDS, _SILENT_SECONDS = 5.0, 20.0
_PATIENCE_SECONDS, _MINIMUM_RATE = 30.0, 100_000  # bytes/s on average; slower than that, we build
_ATTEMPTS, _PAUSE_SECONDS = 2, 0.5
_MAXIMUM_TEXT = 8 * 2**20
MAXIMUM_FILE = 400 * 2**20
"""Bytes: more than twice the largest of the files."""


class TransferError(Exception):
    """Something cannot be downloaded, or is not what was promised. `str()` is one line."""


class _BrokenError(TransferError):
    """A transfer that may succeed when it is tried again."""


class Session:
    """Transfers that belong together: when one fails, `stop` ends the others.

    `received` counts bytes of all of them. Thread-safe.
    """

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.received = 0
        self._counting = threading.Lock()
        self._client = httpx.Client(
            follow_redirects=True,
            max_redirects=5,
            verify=authorities(),
            timeout=httpx.Timeout(_SILENT_SECONDS, connect=_CONNECT_SECONDS),
            # A digest is of the file as it is stored.
            headers={"Accept-Encoding": "identity", "User-Agent": "gke-platform"},
        )

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def file(
        self,
        url: str,
        target: Path,
        *,
        sha256: str | None = None,
        maximum: int = MAXIMUM_FILE,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Download a file; `sha256` is its digest in hexadecimal, if it has one."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._file(url, target, sha256, maximum, headers)
            except _BrokenError:
                if attempt == _ATTEMPTS:
                    raise
                time.sleep(_PAUSE_SECONDS)
            else:
                return

    def text(self, url: str, headers: Mapping[str, str] | None = None) -> str:
        """A text such as a list of checksums."""
        answer = self.answer(url, headers)
        if answer.status_code != 200:
            raise TransferError(f"{shown(url)} answers {answer.status_code}")
        return answer.text

    def answer(self, url: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """A small answer, whatever its status."""
        with self._answer(url, headers) as answer:
            body = b"".join(self._bytes(answer, url, _MAXIMUM_TEXT))
            return httpx.Response(
                answer.status_code, headers=answer.headers, content=body, request=answer.request
            )

    def _file(
        self,
        url: str,
        target: Path,
        sha256: str | None,
        maximum: int,
        headers: Mapping[str, str] | None,
    ) -> None:
        digest = hashlib.sha256()
        with self._answer(url, headers) as answer:
            if answer.status_code >= 500 or answer.status_code == 429:
                raise _BrokenError(f"{shown(url)} answers {answer.status_code}")
            if answer.status_code != 200:
                raise TransferError(f"{shown(url)} answers {answer.status_code}")
            with target.open("wb") as file:
                for chunk in self._bytes(answer, url, maximum):
                    digest.update(chunk)
                    file.write(chunk)
        if sha256 is not None and digest.hexdigest() != sha256:
            raise TransferError(
                f"{shown(url)} has another checksum than the published one: "
                f"sha256 {digest.hexdigest()[:12]}…, not {sha256[:12]}…"
            )

    @contextmanager
    def _answer(self, url: str, headers: Mapping[str, str] | None) -> Iterator[httpx.Response]:
        try:
            with self._client.stream("GET", url, headers=dict(headers or {})) as answer:
                if urlsplit(url).scheme == "https" and answer.url.scheme != "https":
                    raise TransferError(f"{shown(url)} leads to an address without TLS")
                yield answer
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            raise TransferError(f"{error.request.url.host} {_unreached(error)}") from error
        except httpx.UnsupportedProtocol as error:
            raise TransferError(f"{shown(url)} leads elsewhere: {_line(error)}") from error
        except httpx.TimeoutException as error:
            silent = f"{shown(url)} sent nothing for {_SILENT_SECONDS:.0f} s"
            raise TransferError(silent) from error
        except httpx.TransportError as error:
            raise _BrokenError(f"{shown(url)} ended early: {_line(error)}") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TransferError(f"{shown(url)}: {_line(error)}") from error

    def _bytes(self, answer: httpx.Response, url: str, maximum: int) -> Iterator[bytes]:
        started, size = time.monotonic(), 0
        for chunk in answer.iter_raw(2**18):
            size += len(chunk)
            with self._counting:
                self.received += len(chunk)
            if self.stop.is_set():
                raise TransferError("another download failed")
            if size > maximum:
                raise TransferError(f"{shown(url)} is larger than {maximum // 2**20} MiB")
            seconds = time.monotonic() - started
            if seconds > _PATIENCE_SECONDS and size < seconds * _MINIMUM_RATE:
                raise TransferError(f"{shown(url)} is too slow: {size} bytes in {seconds:.0f} s")
            yield chunk


def authorities() -> ssl.SSLContext:
    """Whom to trust. A proxy that reads TLS has its authority in the machine's store."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()
    return context


def is_untrusted(error: httpx.HTTPError) -> bool:
    """Whether a host was reached, and its certificate not trusted."""
    return "CERTIFICATE_VERIFY_FAILED" in str(error)


def _unreached(error: httpx.HTTPError) -> str:
    if is_untrusted(error):
        return "has a certificate that this machine does not trust; SSL_CERT_FILE may name more"
    return "cannot be reached"


def shown(url: str) -> str:
    """An address for messages: without credentials and query."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.hostname}{port}{parts.path}"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
