"""Satellite images in, ground displacement with its uncertainty out.

The public functions, one a step; everything else is imported from its own module.
"""

from importlib.metadata import version

__version__ = version("groundshift")

from groundshift.optical.pair import measure_pair

__all__ = ["__version__", "measure_pair"]
