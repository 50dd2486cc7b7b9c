"""Loads the SDK before the tests, because it warns of its own deprecated classes while loading."""

import declared  # noqa: F401 (for what it does when it is imported)
