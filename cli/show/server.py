"""Serves a page of an environment on this machine, and pushes what changes in it.

It listens on 127.0.0.1 and answers only to its own name there, so that a page of another site,
whose name leads to this address, reads nothing (DNS rebinding).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import html
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from cli.environments import ROOT
from cli.errors import CliError, Exit
from cli.show import board, page
from cli.show.board import Board, Courses
from cli.show.picture import Picture

_ADDRESS = "127.0.0.1"
_SILENCE = 15.0
"""Seconds after which a line is sent to a browser, so that one that has gone is noticed."""
_A_SECOND = 1.0
_SECRET = re.compile(r"^(\s*(?:- )?secure:).*$", re.MULTILINE)


class Server(ThreadingHTTPServer):
    """The page of one environment."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, shown: Board) -> None:
        """Listen on a port of 127.0.0.1, on a free one for 0. Raises CliError."""
        self.board = shown
        self.watched = threading.Event()
        """Set while a browser shows the page."""
        self._lock, self._browsers = threading.Lock(), 0
        self.policy = _content_security()
        try:
            super().__init__((_ADDRESS, port), _Handler)
        except OSError as error:
            raise CliError(
                f"port {port} of {_ADDRESS}: {error.strerror}",
                "--port N with another one, or without it for one that is free",
                Exit.USAGE,
            ) from None
        self.names = {f"{name}:{self.server_port}" for name in (_ADDRESS, "localhost")}

    @contextlib.contextmanager
    def browser(self) -> Iterator[None]:
        """A browser shows the page until the block ends."""
        with self._lock:
            self._browsers += 1
            self.watched.set()
        try:
            yield
        finally:
            with self._lock:
                self._browsers -= 1
                if not self._browsers:
                    self.watched.clear()

    @property
    def url(self) -> str:
        """The URL of the page."""
        return f"http://{_ADDRESS}:{self.server_port}/"

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Answers in a thread until the block ends."""
        thread = threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.shutdown()
            thread.join()
            self.server_close()


def watch(
    read: Callable[[], Picture], courses: Callable[[], Courses], server: Server, interval: float
) -> None:
    """Reads again after each interval while a browser shows the page, until Ctrl-C.

    The drills and loads, which are files of this machine, are read each second meanwhile.
    """
    pause = threading.Event()
    while True:
        server.watched.wait()
        again = time.monotonic() + interval
        while server.watched.is_set() and (left := again - time.monotonic()) > 0:
            pause.wait(min(left, _A_SECOND))
            server.board.show_courses(courses())
        if not server.watched.is_set():
            continue
        try:
            server.board.show(read())
        except CliError as error:
            server.board.fail(str(error))


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        """The page, its changes, or a file that it links to."""
        url = urlsplit(self.path)
        if self.headers.get("Host", "") not in self.server.names:
            self._send(421, "text/plain", "this server answers to 127.0.0.1 and localhost\n")
        elif url.path == "/":
            version = self.server.board.version
            text = page.document(version.picture, version.parts, number=version.number)
            self._send(200, "text/html", text)
        elif url.path == "/events":
            since = self.headers.get("Last-Event-ID") or parse_qs(url.query).get("since", [""])[0]
            self._push(int(since) if since.isdecimal() else 0)
        elif found := self._linked(url.path):
            self._send(200, "text/html", _source(found))
        else:
            self._send(404, "text/plain", "there is no such page\n")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the terminal is the operator's."""

    def _send(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self._headers(f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _headers(self, kind: str) -> None:
        self.send_header("Content-Type", kind)
        self.send_header("Content-Security-Policy", self.server.policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")

    def _push(self, number: int) -> None:
        """Server-Sent Events until the browser has gone."""
        self.send_response(200)
        self._headers("text/event-stream")
        self.end_headers()
        try:
            with self.server.browser():
                self._follow(number)
        except OSError:
            self.close_connection = True

    def _follow(self, number: int) -> None:
        trouble = ""
        self._event(": the changes of a page\n\n")
        while True:
            news = self.server.board.news(number, trouble, _SILENCE)
            text = ""
            if news.number != number or (trouble and not news.trouble):
                parts = json.dumps(news.parts)
                text += f"event: parts\nid: {news.number}\ndata: {parts}\n\n"
            # What comes with parts would else be taken back by them.
            if news.trouble and (text or news.trouble != trouble):
                text += f"event: trouble\ndata: {json.dumps(news.trouble)}\n\n"
            self._event(text or ": still here\n\n")
            number, trouble = news.number, news.trouble

    def _event(self, text: str) -> None:
        self.wfile.write(text.encode())
        self.wfile.flush()

    def _linked(self, path: str) -> Path | None:
        """The file of the repository that a link of the page leads to; no other is sent."""
        name = unquote(path).removeprefix(f"/{board.ROOT}/")
        wanted = f'href="{board.ROOT}/{html.escape(name)}'
        linked = any(
            f'{wanted}"' in text or f"{wanted}#" in text
            for text in self.server.board.version.parts.values()
        )
        file = ROOT / name
        return file if linked and file.is_file() else None


def _source(file: Path) -> str:
    """A file with an anchor for each line; what is encrypted in it is left out."""
    text = _SECRET.sub(r"\1 (encrypted)", file.read_text(encoding="utf-8"))
    lines = "".join(
        f'<span id="L{number}">{html.escape(line)}\n</span>'
        for number, line in enumerate(text.splitlines(), start=1)
    )
    name = html.escape(str(file.relative_to(ROOT)))
    style = "body{color-scheme:light dark}span:target{outline:2px solid}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title>'
        f"<style>{style}</style><h1>{name}</h1><pre>{lines}</pre></html>"
    )


def _content_security() -> str:
    """What the page may do: run its own scripts, and ask this server."""
    hashes = (
        base64.b64encode(hashlib.sha256(page.script(name).encode()).digest()).decode()
        for name in page.SCRIPTS
    )
    scripts = " ".join(f"'sha256-{one}'" for one in hashes)
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src {scripts}; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
