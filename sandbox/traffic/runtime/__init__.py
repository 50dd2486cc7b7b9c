"""Runs the model servers and Envoy, and gives Envoy what the emulated state says."""
