"""The sandbox: an emulated Google Cloud on one machine. Only the CLI imports it."""
