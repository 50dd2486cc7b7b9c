"""The policy pack: rules about what the layers declare, judged at every preview and update.

Importing rules serves nothing and imports neither Pulumi's SDK nor a provider's.
"""
