"""Importing one's own quotes and exporting the library, on the command line only; the service uses none of this."""
