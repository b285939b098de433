"""Options of scans and of reading many rows, and small functions on keys."""

from . import tools

__all__ = ["tools"]
