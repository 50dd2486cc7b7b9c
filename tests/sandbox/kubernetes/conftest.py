"""The fixture of a control plane, for this folder's tests."""

from tests.sandbox.kubernetes.conftest_kubernetes import sandbox

__all__ = ["sandbox"]
