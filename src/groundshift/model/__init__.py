"""The two data contracts: the displacement map and the point set. Imports nothing else of ours."""
