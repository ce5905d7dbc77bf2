"""Grids: boxes and tiles of pixels, and what brings images onto one grid and tiles back into one map."""
