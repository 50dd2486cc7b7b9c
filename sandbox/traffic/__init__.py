"""Requests in the sandbox: model servers that answer for the pods, and Envoy in front of them.

`model_servers` is a process that listens for every serving pod and writes the dial plan.
`load_balancer` makes Envoy's configuration from the emulated compute API's state, and from nothing
else. Both meet in `dial_plan` alone.
"""
