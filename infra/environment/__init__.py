"""The environment layer: joins what the other layers publish."""
