"""How often the long tests repeat: a part of it in `make test`, all of it in `make test-long`."""

import os

IS_FULL = os.environ.get("QUOTES_TEST_LONG") == "1"


def scaled(full: int, part: int) -> int:
    """Return the number of repetitions for this run: `full` under `make test-long`, else `part`."""
    return full if IS_FULL else part
