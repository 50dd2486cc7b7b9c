"""One module per package of pulumi_gcp: its resource types, and their own behaviour."""
