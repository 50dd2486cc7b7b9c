"""The controller of LeaderWorkerSets (LWS), by which models run on several hosts.

It is installed if a model has `hosts`. What a model declares of it is in `models/group.py`.
"""
