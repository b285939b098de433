"""What is common to all of Pegasus' types."""

from . import ttypes

__all__ = ["ttypes"]
