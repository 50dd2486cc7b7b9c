"""The rules, a module a topic; `policies.registry` finds them."""
