"""The emulated Kubernetes Engine API: container.googleapis.com, v1 and v1beta1."""

from sandbox.gcp.services.container.service import SERVICE

__all__ = ["SERVICE"]
