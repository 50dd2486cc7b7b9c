"""Values as the engine's protocol carries them: every number is a float."""

from typing import Any


def whole_numbers(value: Any) -> Any:
    """The value with whole floats as integers."""
    if isinstance(value, dict):
        return {key: whole_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [whole_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
