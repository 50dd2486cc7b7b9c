"""Imports of models and adapters from Hugging Face into the models' bucket.

`jobs.py` builds the manifests, `access.py` declares the identity that may write, and `component.py`
the Jobs. The program that they run is `pod_programs/hub_import.py`, the settings are in
`models/imports.py`.
"""
