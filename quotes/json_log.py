"""Logging on Lambda: one JSON object per line, whose fields CloudWatch Logs Insights discovers by itself.

    {"time": "2026-11-21T12:00:00.123Z", "level": "INFO", "request_id": …, "trace_id": …, "logger": "quotes.gateway",
     "message": "GET /daily 203.0.113.7 200 265 bytes 3 ms", "route": "/daily", "status": 200, "milliseconds": 3,
     "whence": "memory"}

`zappa tail --http` recognizes a request by an IP address between spaces, which is why the message contains it.
"""

import logging
import time
from types import TracebackType
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from quotes.settings import Instance, trace_id

FIELDS = ("asctime", "levelname", "aws_request_id", "trace_id", "name", "message")
NAMES = {"asctime": "time", "levelname": "level", "aws_request_id": "request_id", "name": "logger"}


class LambdaFormatter(JsonFormatter):
    """Format a record as a line of JSON with its line feed, which Lambda's handler does not add."""

    converter = staticmethod(time.gmtime)
    default_time_format, default_msec_format = "%Y-%m-%dT%H:%M:%S", "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__(FIELDS, rename_fields=NAMES, reserved_attrs=_RESERVED, json_ensure_ascii=False)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, including the invocation's trace id."""
        record.trace_id = trace_id()
        return f"{super().format(record)}\n"

    def formatException(  # noqa: N802  # logging's name
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    ) -> Any:
        """Return the lines of a traceback, redacted like the notifications of `notify.py`."""
        from quotes.failure import shortened

        instance = Instance.of_function()
        return shortened(ei[1], instance.secrets if instance else ()) if ei[1] else []


_RESERVED = (*logging.makeLogRecord({}).__dict__, "message", "asctime", "aws_request_id", "tenant_id", "_frame_type")


def use() -> None:
    """Switch the root logger's handlers, which Lambda's runtime client has installed, to JSON."""
    formatter = LambdaFormatter()
    for handler in logging.getLogger().handlers:
        handler.setFormatter(formatter)
