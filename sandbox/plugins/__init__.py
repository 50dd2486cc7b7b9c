"""The sandbox's resource provider plugins: gcp and random.

They replace the official plugins, which cannot be installed offline; a real account never uses
them. The Kubernetes provider is the official one: `sandbox.engine.kubernetes_plugin`. `provider`
has their common part. Each is started with `python -m sandbox.plugins.<name>`.
"""
