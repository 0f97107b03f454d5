"""How much is run of what takes long: a part of it by `make test`, all of it by `make test-long`."""

import os

IS_FULL = os.environ.get("QUOTES_TEST_LONG") == "1"


def scaled(full: int, part: int) -> int:
    """Return a number of repetitions."""
    return full if IS_FULL else part
