"""The serving layer: the model servers of one environment and everything they run on.

Rooms, from the bottom up; a room imports only rooms below it:

- `scaling`: replicas and the horizontal pod autoscaler;
- `exposures`: how a model is reached, one module a kind;
- `models`: the catalog's entries and the pods that serve them;
- `placement`: what the node pools can hold;
- `postgres`: Postgres clusters and their operator;
- `tenancy`: namespaces, teams, identities, quotas, network policies, the model bucket.

The modules beside them either are shared by rooms (`patterns`, `resources`, `quantity`, `manifest`,
`network_policy`) or join rooms (`config`, `catalog`, `contract`, `model_server`,
`secret_sync`, `reference_checks`).
"""
