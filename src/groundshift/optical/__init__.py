"""Two optical images in, a displacement map with its uncertainty out."""
