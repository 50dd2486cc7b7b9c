"""The serving layer: the catalogue of models, served on the cluster."""
