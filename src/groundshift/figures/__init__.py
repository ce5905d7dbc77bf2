"""Pictures of results, with units, scale bars and honest colours. Everything is drawn with matplotlib objects."""
