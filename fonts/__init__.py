"""The character widths with which cards are set, read from real fonts."""
