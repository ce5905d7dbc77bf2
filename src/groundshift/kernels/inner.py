"""How a kernel is compiled that only other kernels call."""

from typing import Any

INNER: dict[str, Any] = {"cache": True, "nogil": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Without entries from Python and C, which take as long to compile as many a kernel."""

QUICK: dict[str, Any] = {"cache": True, "nogil": True, "fastmath": True, "error_model": "numpy"}
"""In vector instructions, also where it divides: a loop that looks for zeros to complain about would get none."""
