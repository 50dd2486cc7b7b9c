"""The rehearsal's Pulumi provider for Google Cloud: what the official one does, without its binary.

It translates a program's inputs into the API's JSON and back, and speaks HTTP as the official
provider does; it knows nothing of what is at the other end. See README.md for adding a type.
"""
