"""Everything that stands in for Google Cloud on a laptop. Nothing but the CLI imports it."""
