"""Simulated point sets of a strip of a continent: tracks, bursts, stations, and the truth."""
