"""An environment's deployments, and the way back to one of them."""
