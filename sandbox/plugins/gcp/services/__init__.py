"""One module a service: its resource types, and the steps that only that service needs."""
