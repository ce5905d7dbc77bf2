"""From a stack of co-registered radar images to points with displacement series: the steps, on plain arrays."""
