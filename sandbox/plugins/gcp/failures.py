"""The errors of requests; separate from the client, which is slow to import."""

from __future__ import annotations

from sandbox.plugins.provider import PluginError


class ApiFailure(PluginError):  # noqa: N818  # an answer, not an error of the plugin
    """An error response of the API."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(f"Error {code}: {message}{f', {reason}' if reason else ''}")
        self.code, self.reason, self.message = code, reason, message


class OperationFailure(PluginError):  # noqa: N818  # an answer, not an error of the plugin
    """An operation that failed."""


class Cancelled(PluginError):  # noqa: N818  # by the user
    """The engine asked to stop."""

    def __init__(self) -> None:
        super().__init__("cancelled")
