"""Bring quotes of one's own: `python -m quotes import` and `export`. Nothing of it runs in the service."""
