"""Loads Pulumi's SDK whole, before a plugin's modules load parts of it (`sandbox.protocol`)."""

import pulumi  # noqa: F401
