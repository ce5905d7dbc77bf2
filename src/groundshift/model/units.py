"""Units that all rooms share."""

YEAR = 365.25
"""Days of a year, but for the fields of EGMS, which have one of their own (`groundshift.kernels.series_fields`)."""
