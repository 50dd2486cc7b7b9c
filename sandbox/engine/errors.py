"""The one error of this package."""


class EngineError(Exception):
    """A tool could not be had. `str()` is one line for a person; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint
