"""The networking layer: the global HTTP load balancer in front of the models."""
