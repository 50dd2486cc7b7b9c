"""Readers that turn files into resources: Kubernetes manifests, stack exports, GKE clusters.

One module per format. They need neither the engine nor an account.
"""

from policies.sources.files import UnreadableError, read, read_all

__all__ = ["UnreadableError", "read", "read_all"]
