"""API Gateway's own error responses (AWS, "Gateway response types for API Gateway")."""

import json

from tests.aws.proxy_events import Response


class Refused(Exception):
    """A request is refused.

    Args:
        status: The HTTP status.
        message: The message for the client; None is null.
        error: The exception's name, for the header `x-amzn-ErrorType`.
        name: The message's key; `Message` if a policy refuses.
    """

    def __init__(self, status: int, message: str | None, error: str, name: str = "message") -> None:
        super().__init__(status, message, error)
        headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", error)]
        self.response = Response(status, headers, json.dumps({name: message}).encode())
