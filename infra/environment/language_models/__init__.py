"""What is watched of language models: times to the first token, queues, caches, tokens, their cost.

The servers measure it themselves, so that models without a public address are watched too. The
queries are PromQL on Managed Service for Prometheus. Requests at the load balancer are in
`infra.environment.objectives`.
"""
