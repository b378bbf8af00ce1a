"""glibc's allocator: memory of a frame is used again, not given back and asked for anew, a tenth of the time."""

import ctypes
import os
import platform

_MMAP_ABOVE, _TRIM_ABOVE = 32 * 2**20, 2**31 - 1
"""Bytes above which an array is mapped alone, and above which what is free at the end of the heap is given back."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Names of glibc's `mallopt`."""


def keep_freed() -> None:
    """For this process, from now on; nothing where there is no glibc."""
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_MMAP_THRESHOLD, _MMAP_ABOVE)
    libc.mallopt(_M_TRIM_THRESHOLD, _TRIM_ABOVE)


def keep_freed_in_children() -> None:
    """For processes that are started from now on, unless the user says otherwise."""
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(_MMAP_ABOVE))
    os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(_TRIM_ABOVE))
