"""Environment variables of Pulumi's engine and plugins that the platform sets or explains."""

FORGET = "PULUMI_K8S_DELETE_UNREACHABLE"
"""Tells the Kubernetes provider that objects are gone whose cluster cannot be reached. For one run,
after that cluster was replaced: its objects are gone with it."""
