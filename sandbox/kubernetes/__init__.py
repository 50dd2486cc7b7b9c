"""Kubernetes in the sandbox: real control planes, simulated nodes, and the controllers of GKE."""
