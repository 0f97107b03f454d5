"""What API Gateway says to those whom it does not let in (AWS, "Gateway response types for API Gateway")."""

import json

from tests.aws.proxy_events import Response


class Refused(Exception):
    """Say that a request does not come in.

    Args:
        status: The HTTP status.
        message: What the client is told; null where None.
        error: The exception's name, which stands in a header.
        name: What the message is called: `Message` where a policy refuses.
    """

    def __init__(self, status: int, message: str | None, error: str, name: str = "message") -> None:
        super().__init__(status, message, error)
        headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", error)]
        self.response = Response(status, headers, json.dumps({name: message}).encode())
