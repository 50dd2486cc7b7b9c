"""The environment layer: joins the other layers and monitors the models."""
