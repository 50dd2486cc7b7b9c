"""The emulated Cloud Monitoring API: monitoring.googleapis.com, v3 and the dashboards of v1."""

from sandbox.gcp.services.monitoring.service import SERVICE

__all__ = ["SERVICE"]
