"""The emulated Google Cloud API.

It is driven by Google's own discovery documents: paths, request schemas and enums are theirs. What
a service module does not cover is answered with 501; it never guesses.
"""
