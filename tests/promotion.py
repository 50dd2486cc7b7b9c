"""The order in which a change is promoted through the example's environments. Not a test."""

PROMOTION = ("dev", "stage", "prod")
