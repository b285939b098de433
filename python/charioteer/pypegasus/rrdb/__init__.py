"""The types of a table's calls."""

__all__ = ["ttypes"]
