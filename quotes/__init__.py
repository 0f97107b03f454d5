"""A quote of the day, and random quotes, over HTTP."""

__version__ = "0.1.0"
