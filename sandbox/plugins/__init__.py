"""The sandbox's resource provider plugins: gcp, kubernetes and random.

They replace the official plugins, which cannot be installed offline; a real account never uses
them. `provider` has their common part. Each is started with `python -m sandbox.plugins.<name>`.
"""
