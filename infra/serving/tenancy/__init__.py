"""Who shares the cluster: namespaces, teams, identities, quotas, network policies, priorities.

Also the bucket for model files, since access to it is granted per namespace. Rules of the Postgres
namespace are in `postgres`, what a single pod may do in `models/pod.py`.
"""
