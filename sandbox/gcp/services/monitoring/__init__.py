"""The emulated Cloud Monitoring API: v3, and the dashboards of v1.

Uptime checks, alert policies, notification channels, groups, services, their objectives and
dashboards can be configured. Nothing is checked, measured or sent.
"""

from sandbox.gcp.services.monitoring.service import SERVICE

__all__ = ["SERVICE"]
