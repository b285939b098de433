"""Options of scans and of reading many rows, and small functions on keys."""

__all__ = ["tools"]
