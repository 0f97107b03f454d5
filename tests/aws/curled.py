"""Answers as curl receives them."""

import json
from typing import Any, NamedTuple

from tests.aws.account import Account


class Answer(NamedTuple):
    """An answer, with its headers in order."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> list[str]:
        """Return the values of a header.

        Args:
            name: In lower case.
        """
        return [value for key, value in self.headers if key.lower() == name]


def curled(account: Account, *arguments: str) -> Answer:
    """Send a request with curl.

    Args:
        account: The account whose APIs can be reached.
        arguments: For curl: a URL, options.
    """
    done = account.curl("--include", *arguments)
    assert done.returncode == 0, done.stderr
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    return Answer(int(first.split()[1]), headers, body)


def returning(url: str, **answer: Any) -> list[str]:
    """Return curl's arguments for a request that makes a function return something.

    Args:
        url: The URL of the API `answering`.
        answer: What the function returns.
    """
    return ["--get", "--data-urlencode", f"answer={json.dumps(answer)}", url]
