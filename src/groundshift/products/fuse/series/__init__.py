"""Displacement in three dimensions over time."""
