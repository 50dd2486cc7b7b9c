"""What an update asks of the project's Compute Engine quotas, before it begins."""
