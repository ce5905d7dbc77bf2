"""The network of points: arcs, unwrapping, and the further points that are held against it."""
