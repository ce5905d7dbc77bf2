"""Pixels that may be points: persistent scatterers, and distributed ones with linked phases."""
