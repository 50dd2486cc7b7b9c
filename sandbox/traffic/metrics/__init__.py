"""Metrics of the sandbox: a Prometheus per project, in place of Google's Managed Service."""
