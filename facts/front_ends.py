"""Address ranges that Google's load balancers and health checks connect from.

https://docs.cloud.google.com/load-balancing/docs/firewall-rules and
https://docs.cloud.google.com/load-balancing/docs/health-check-concepts#ip-ranges
"""

FRONT_END_RANGES = ("130.211.0.0/22", "35.191.0.0/16")
"""Application Load Balancers and their health checks, IPv4."""

GOOGLE_RANGES = (
    *FRONT_END_RANGES,
    "209.85.152.0/22",
    "209.85.204.0/22",
    "2600:2d00:1:b029::/64",
    "2600:2d00:1:1::/64",
)
"""All load balancers and health checks: those above, network load balancers and IPv6."""
