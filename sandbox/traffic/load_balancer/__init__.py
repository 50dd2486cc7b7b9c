"""Envoy as the load balancer that the emulated compute API describes."""
