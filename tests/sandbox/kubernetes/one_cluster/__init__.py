"""Tests that share a cluster: what they make has names of its own, and they end nothing else.

A control plane takes some twenty seconds of processor time until it runs pods.
"""
