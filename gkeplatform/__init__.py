"""The shared vocabulary of the platform: configuration, contracts, names and labels.

It declares no resources and imports none of the other packages of this repository.
"""
