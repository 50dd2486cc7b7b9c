"""The rehearsal's provider for Kubernetes objects of any kind, on server-side apply."""
