"""Loads the SDK before the tests do: it warns of its own deprecated classes while it is loaded."""

import declared  # noqa: F401 (for what it does when it is imported)
