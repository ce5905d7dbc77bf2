"""GNSS: trajectories of stations, and the velocity model between them."""
