"""Resource providers for the rehearsal: gcp, kubernetes and random.

They stand in for the official plugins, which cannot be had offline; a real account never sees
them. `provider` is what they share, and each is started with `python -m sandbox.plugins.<name>`.
"""
