"""The emulated Kubernetes Engine API: container.googleapis.com, v1 and v1beta1."""
