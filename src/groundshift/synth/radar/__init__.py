"""Radar stacks whose truth is known: ground, motion, atmosphere, scatterers, and how a sensor sees them."""
