"""Environment variables of Pulumi's engine, its plugins and the programs, set by the platform."""

FORGET = "PULUMI_K8S_DELETE_UNREACHABLE"
"""Tells the Kubernetes provider that objects are gone whose cluster cannot be reached. For one run,
after that cluster was replaced: its objects are gone with it."""

PLANNED = "PLATFORM_PLANNED_CONTRACTS"
"""Names the file with the planned outputs of other layers, which only a preview reads."""
