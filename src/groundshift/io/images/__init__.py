"""Optical images: files, folders and archives of satellites, and arrays; read box by box, with the reason of every
pixel that cannot be used, and brought onto another grid.
"""
