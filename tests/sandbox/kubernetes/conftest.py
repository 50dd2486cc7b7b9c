"""The fixture of a control plane, for this folder's tests."""

from conftest_kubernetes import sandbox

__all__ = ["sandbox"]
