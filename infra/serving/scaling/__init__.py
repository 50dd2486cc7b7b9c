"""Replicas and autoscaling: settings, autoscalers, and what measures and scales.

A model that scales on CPU or memory has a HorizontalPodAutoscaler. A model that scales on other
metrics has a ScaledObject, from which KEDA makes the autoscaler; KEDA is installed for them.

Whether node pools and quotas can hold the replicas is decided in `placement` and `tenancy`; which
metrics a model server has, in `models/presets/`.
"""
