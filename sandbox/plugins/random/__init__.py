"""The sandbox's provider for random values, which are kept in the state."""
