"""Postgres clusters for models, and Zalando's operator that runs them.

Settings and their validation, the operator with its rights, the manifests that it reads, the bucket
of backups, and what the models' side needs: connections and a network policy rule. An entry's own
settings are in `models/database.py`.
"""
