"""GKE's own controllers: load balancers, endpoint groups, Gateways, volumes, Postgres.

Each controller is level-triggered: it compares the whole current state with the desired state and
applies the difference. So lost events, restarts and errors are corrected by the next run.
"""

from sandbox.kubernetes.controllers.manager import Controllers

__all__ = ["Controllers"]
