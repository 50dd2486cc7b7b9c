"""The rehearsal's provider for random values: what is drawn stays as it is in the state."""
