"""Parts of Cloud Monitoring filters."""

from collections.abc import Collection


def matches(values: Collection[str]) -> str:
    """The comparison of a label with one value or several, in a monitoring filter."""
    listed = ", ".join(f'"{value}"' for value in sorted(values))
    return f"= one_of({listed})" if len(values) > 1 else f"= {listed}"
