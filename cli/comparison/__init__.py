"""Environments compared by meaning: typed values with their defaults, models by name."""
