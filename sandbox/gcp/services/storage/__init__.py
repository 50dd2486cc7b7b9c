"""The emulated Cloud Storage JSON API."""

from sandbox.gcp.services.storage.service import SERVICE

__all__ = ["SERVICE"]
