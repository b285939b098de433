"""What is common to all of Pegasus' types."""

__all__ = ["ttypes"]
