"""The emulated Cloud Storage API: storage.googleapis.com, its JSON interface."""

from sandbox.gcp.services.storage.service import SERVICE

__all__ = ["SERVICE"]
