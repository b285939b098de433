"""The types of a table's calls."""

from . import ttypes

__all__ = ["ttypes"]
