"""Requests as callers send them: one prediction (`request`), or a load at a rate (`load`).

`calls` builds the request that a model's server understands and `addresses` finds where it is sent,
in a rehearsal or in a real environment; `exchange` sends one and `load` many. Nothing here knows
the emulated cloud: a request takes the way of any caller's.
"""
