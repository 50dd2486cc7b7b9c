"""Replicas and the horizontal pod autoscaler: settings, and the autoscaler's spec.

Whether node pools and quotas can hold the replicas is decided in `placement` and `tenancy`; which
metrics a model server has, in `models/presets.py`.
"""
