"""Units of the amounts that placement counts with."""

MILLI = 1000
"""Thousandths of a core in a core."""
