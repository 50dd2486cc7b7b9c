"""Kubernetes in the sandbox: real control planes, simulated nodes, and GKE's controllers."""
