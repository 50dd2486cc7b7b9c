"""The layers of an environment, a Pulumi program each. None imports another."""
