"""The one error that a user is meant to read."""


class PlatformError(Exception):
    """Something a user wrote or did cannot be carried out.

    The message stands alone: where, what was wrong, what to do. It is shown without a traceback;
    a defect of the platform itself is any other exception.
    """
