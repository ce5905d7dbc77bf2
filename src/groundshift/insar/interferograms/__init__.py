"""Networks of unwrapped interferograms: what is wrong with them, and their inversion."""
