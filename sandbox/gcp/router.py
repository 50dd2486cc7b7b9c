"""Finds the service and the method that a request's URL names.

A service is named by the Host header (`compute.googleapis.com`) or by the first segment of the
path (`/container/v1/…`), never guessed: an API that the table does not have is answered with 501.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote

from sandbox.gcp.discovery import Method, Trie, documents
from sandbox.gcp.errors import ApiError
from sandbox.gcp.request import RequestPath
from sandbox.gcp.service import project_number
from sandbox.services import HOST, SERVICES

_INSTANT_QUERY = ("prometheus", "api", "v1", "query")
_UPLOADS = (("upload",), ("resumable", "upload"))


def not_emulated(verb: str, path: str, method: str | None = None) -> ApiError:
    """The error for what Google may have and the sandbox has not."""
    name = f" ({method})" if method else ""
    return ApiError(501, f"sandbox does not emulate {verb} {path}{name}")


class Router:
    """The methods of all services, and the projects' numbers that clients may use in URLs."""

    def __init__(self, projects: Iterable[str] = ()) -> None:
        self._rows = {row.name: row for row in SERVICES}
        methods: dict[str, list[Method]] = {name: [] for name in self._rows}
        for document in documents():
            methods[document.name].extend(document.methods)
        self._tries = {name: Trie(found) for name, found in methods.items()}
        self._ids: dict[str, str] = {}
        self._known: set[str] = set()
        for project in projects:
            self._remember(project)

    def parse(self, verb: str, host: str, url_path: str) -> RequestPath:
        """The path's parts. Raises ApiError 501 where it names no service of the table."""
        segments = tuple(url_path.strip("/").split("/"))
        is_upload = False
        for prefix in _UPLOADS:
            if segments[: len(prefix)] == prefix:
                segments, is_upload = segments[len(prefix) :], True
        row = self._rows.get(host.removesuffix(f".{HOST}")) if host.endswith(HOST) else None
        if row is None:
            row = self._rows.get(segments[0]) if segments else None
            if row is None:
                shown = f"https://{host}{url_path}" if host.endswith(HOST) else url_path
                raise not_emulated(verb, shown)
            if not row.prefixed:
                segments = segments[1:]
        at = 1 if row.prefixed else 0
        version = segments[at] if len(segments) > at else ""
        if version in row.served_as:
            segments = (*segments[:at], row.served_as[version], *segments[at + 1 :])
        return RequestPath(row.name, self._by_id(segments), at, is_upload)

    def method(self, verb: str, path: RequestPath, url_path: str) -> tuple[Method, dict[str, str]]:
        """The method and its decoded path parameters. Raises ApiError 405 or 501."""
        if path.segments[-4:] == _INSTANT_QUERY and verb == "GET":
            verb = "POST"  # Google takes both, like Prometheus; its discovery document has one
        found, parameters, known = self._tries[path.service].find(verb, path.segments)
        if found is None:
            if known:
                raise ApiError(405, f"{verb} is not allowed on {url_path}", status="UNIMPLEMENTED")
            raise not_emulated(verb, url_path)
        if path.is_upload and not found.takes_upload:
            raise not_emulated(verb, url_path, found.id)
        return found, {name: unquote(value) for name, value in parameters.items()}

    def _by_id(self, segments: tuple[str, ...]) -> tuple[str, ...]:
        """The segments with a project's number replaced by its id: Google takes both."""
        if "projects" not in segments[:-1]:
            return segments
        at = segments.index("projects") + 1
        project, colon, verb = segments[at].partition(":")
        if not project.isdigit():
            if project not in self._known:
                self._remember(project)
            return segments
        known = self._ids.get(project, project)
        return (*segments[:at], f"{known}{colon}{verb}", *segments[at + 1 :])

    def _remember(self, project: str) -> None:
        self._known.add(project)
        self._ids[project_number(project)] = project
