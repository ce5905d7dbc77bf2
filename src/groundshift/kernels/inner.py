"""How a kernel is compiled that only other kernels call."""

INNER = {"cache": True, "nogil": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Without entries from Python and C, which take as long to compile as many a kernel."""
