"""Cloud Armor's security policies as Envoy's filters."""
