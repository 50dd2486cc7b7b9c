"""The policy pack: rules for the resources of the layers, evaluated at every preview and update.

Importing the rules starts no server and imports neither Pulumi's SDK nor a provider's.
"""
