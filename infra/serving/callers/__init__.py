"""Callers of language models: API keys, limits per minute, and the audit log.

A model that a caller is named for is reached through a gateway of its own: Envoy, which asks for
the key, counts by the rate limit service of the Envoy project, and logs each request.
Decision: docs/adr/0007-callers-behind-envoy.md.
"""
