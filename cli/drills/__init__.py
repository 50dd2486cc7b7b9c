"""Drills: one thing is done to a rehearsed environment under load, and the lost requests counted.

`catalog.py` lists them. A drill acts as an operator, the kubelet or Google Cloud would; what it
acts on is a `scene.Scene`. `running.py` sends the load meanwhile, and `report.py` says what it saw.
"""
