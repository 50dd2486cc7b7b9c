"""What an update of an environment must not do: lose what holds data, or run twice at once."""
