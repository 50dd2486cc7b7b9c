"""Rollouts that did not end: what their pods wait for."""
