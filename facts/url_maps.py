"""Limits of a URL map of the global external Application Load Balancer. They cannot be raised.

https://docs.cloud.google.com/load-balancing/docs/quotas#url_maps and
https://docs.cloud.google.com/load-balancing/docs/url-map-size-quota
"""

MAX_RULES = 1000
"""Host rules of a map; path matchers of a map; rules of a path matcher; paths of all its rules."""
MAX_BACKENDS = 2500
"""Backend services and backend buckets that one map refers to."""
MAX_TESTS = 100
"""Tests of one map."""
MAX_BYTES = 1_000_000
"""Size of the map."""
