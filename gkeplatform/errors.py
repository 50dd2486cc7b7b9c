"""The error for mistakes that a user can correct."""


class PlatformError(Exception):
    """A mistake in what a user wrote or did.

    The message is complete: place, problem, remedy. It is shown without a traceback. Any other
    exception is a defect of the platform.
    """


LET_GO_FIRST = "takes them from the load balancer"
"""In the cluster layer's refusal: an update of the networking layer is enough to go on."""
