"""What GKE itself runs in a cluster: load balancers for Services, and network endpoint groups.

Each controller is level-triggered: it looks at everything, compares it with what should be, and
does the rest. So a lost event, a restart or an error is made good by the next look.
"""

from sandbox.kubernetes.controllers.manager import Controllers

__all__ = ["Controllers"]
