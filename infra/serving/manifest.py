"""How the specs of Kubernetes objects are written in this layer."""

from typing import Any, TypeAlias

Manifest: TypeAlias = Any
"""A mapping in Kubernetes' own spelling, as in a YAML file and in its reference.

The SDK hands it on as it is; the SDK's types know only a spelling of their own.
"""
