"""The widths of characters that cards are set by, taken from real fonts."""
