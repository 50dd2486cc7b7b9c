"""The sandbox's Pulumi provider for Google Cloud, used in place of the official plugin.

It translates inputs to the API's JSON and back, and sends the HTTP requests that the official
provider sends. It does not know the emulator. README.md describes how to add a type.
"""
