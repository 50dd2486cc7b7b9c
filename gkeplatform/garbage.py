"""Turns Python's cyclic garbage collector off; a program of a layer imports this first.

The collector looks again and again through the SDKs' classes, of which none is garbage: a fifth of
the time to import them (`benchmarks/layer_imports.py`). A program ends with its update, and what it
leaves in cycles meanwhile is small.
"""

import gc

gc.disable()
