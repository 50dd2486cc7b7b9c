"""A Python that has imported the SDKs already, and forks a child for each program and plugin.

`server` is the process, which the daemon keeps; `client` asks it; `modules` names what it imports.
Whoever is refused, or finds none, starts a Python of its own.
"""
