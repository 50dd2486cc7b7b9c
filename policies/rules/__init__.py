"""The rules, one module per topic. `policies.registry` lists the modules."""
