"""The emulated Cloud Monitoring API: v3, and the dashboards of v1.

Uptime checks, alert policies, notification channels, groups, services, their objectives and
dashboards can be configured. Nothing is checked or sent. The Prometheus API has what the clusters'
PodMonitorings collect.
"""

from sandbox.gcp.services.monitoring.service import SERVICE

__all__ = ["SERVICE"]
