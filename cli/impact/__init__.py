"""The impact preview: what an update would do to all layers of an environment, as one report."""
