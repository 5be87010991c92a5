"""What the C library and Arrow keep of freed memory, and giving it back to the system."""

from __future__ import annotations

import ctypes
import sys

import pyarrow as pa

_PLACES = -8
"""glibc's M_ARENA_MAX."""


def share() -> None:
    """Have all threads allocate from few places; before the first visitor.

    Each run of a page is a thread, and glibc gives threads places of their own whose freed pages stay scattered: after
    some twenty uploads the server held a fifth more than after five, with nothing in it that was still used.
    """
    _glibc("mallopt", _PLACES, 2)


def give_back() -> None:
    """Free the pages that Arrow and the C library keep for later."""
    pa.default_memory_pool().release_unused()
    _glibc("malloc_trim", 0)


def _glibc(function: str, *values: int) -> None:
    """Call what other C libraries do not have, where it is there."""
    if sys.platform == "linux" and (found := getattr(ctypes.CDLL(None), function, None)):
        found(*values)
