"""Values of one environment written into another's files."""
