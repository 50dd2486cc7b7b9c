"""The error of this package."""


class EngineError(Exception):
    """A tool is not available. `str()` is one line for the user; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint
