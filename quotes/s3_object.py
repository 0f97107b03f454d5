"""One S3 object, read and replaced conditionally, with every response classified by what it means to the caller."""

import contextlib
import functools
import time
from typing import Any

from quotes import s3_get
from quotes.errors import StateUnavailable
from quotes.s3_get import Stored, Timeouts
from quotes.settings import Role

CONNECT_TIMEOUT = 0.5  # seconds
READ_TIMEOUT = 1.0  # seconds
SLOWEST_CALL = CONNECT_TIMEOUT + READ_TIMEOUT
PIECE = 2048  # bytes; small, because the deadline is checked between pieces


class Refused(Exception):
    """Report that the object is no longer the version that a replacement was based on."""


class Unclear(Exception):
    """Report that S3 did not respond, or not conclusively; the message says how."""


class S3Object:
    """Read and replace an object; boto3 finds the credentials itself, and honours `AWS_ENDPOINT_URL`.

    Args:
        bucket: The object's bucket.
        key: The object's key.
        role: The Lambda function's role, if any. With it, a plain GET needs no boto3, which is slow to import.
    """

    def __init__(self, bucket: str, key: str, role: Role | None = None) -> None:
        self._name = {"Bucket": bucket, "Key": key}
        self._role = role

    def get(self, known_etag: str | None) -> Stored | None:
        """Return the current version, or None if the object does not exist.

        Args:
            known_etag: The version that the caller has; if it is still current, it is returned without a body.

        Raises:
            Unclear: S3 did not respond.
            StateUnavailable: S3 rejects the request.
        """
        stored = self._plain_get(known_etag)
        if stored:
            return stored
        condition = {"IfNoneMatch": known_etag} if known_etag else {}
        try:
            answer = self._client.get_object(**self._name, **condition)
            return Stored(_read(answer["Body"]), answer["ETag"])
        except self._errors as error:
            if known_etag and _status(error) == 304:
                return Stored(b"", known_etag)
            if _code(error) == "NoSuchKey":
                return None
            raise _classified(error) from error

    def put(self, body: bytes, made_from: str | None) -> str:
        """Replace the version that the body is based on, and return the ETag of the new one.

        Args:
            body: The new version.
            made_from: The ETag of the version it is based on; None to create the object.

        Raises:
            Refused: The object is another version by now.
            Unclear: S3 did not respond; the replacement may have taken effect, or may still do so.
            StateUnavailable: S3 rejects the request.
        """
        condition = {"IfMatch": made_from} if made_from else {"IfNoneMatch": "*"}
        try:
            return str(self._client.put_object(**self._name, **condition, Body=body)["ETag"])
        except self._errors as error:
            # 412: another version; 409: a concurrent replacement; NoSuchKey: deleted in the meantime.
            if _status(error) in (409, 412) or _code(error) == "NoSuchKey":
                raise Refused("other instances keep writing first") from error
            raise _classified(error) from error

    def _plain_get(self, known_etag: str | None) -> Stored | None:
        if self._role is None:
            return None
        try:
            timeouts = Timeouts(CONNECT_TIMEOUT, READ_TIMEOUT, SLOWEST_CALL, PIECE)
            return s3_get.get(self._role, self._name["Bucket"], self._name["Key"], known_etag, timeouts)
        except OSError as error:
            raise Unclear(f"S3 does not answer ({type(error).__name__})") from error

    @functools.cached_property
    def _client(self) -> Any:
        import boto3
        from botocore.config import Config

        # No retries here: before repeating an upload, the caller has to check whether it took effect.
        once = {"total_max_attempts": 1, "mode": "standard"}
        config = Config(connect_timeout=CONNECT_TIMEOUT, read_timeout=READ_TIMEOUT, retries=once)
        try:
            return boto3.client("s3", config=config)
        except ValueError as error:  # AWS_ENDPOINT_URL is not a valid URL
            raise StateUnavailable(f"S3 cannot be asked: {error}") from error

    @functools.cached_property
    def _errors(self) -> tuple[type[Exception], ...]:
        from botocore.exceptions import BotoCoreError, ClientError

        return BotoCoreError, ClientError


def _read(stream: Any) -> bytes:
    """Read a whole body, giving up if it arrives too slowly: the read timeout only applies to each piece."""
    deadline, pieces = time.monotonic() + SLOWEST_CALL, []
    with contextlib.closing(stream):
        for piece in stream.iter_chunks(PIECE):
            pieces.append(piece)
            if time.monotonic() > deadline:
                raise Unclear("S3 sends the object too slowly")
    return b"".join(pieces)


def _classified(error: Exception) -> Exception:
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError, IncompleteReadError

    if isinstance(error, ConnectionError | HTTPClientError | IncompleteReadError):
        return Unclear(f"S3 does not answer ({type(error).__name__})")
    if not isinstance(error, ClientError):
        return StateUnavailable(f"S3 cannot be asked: {error}")
    if _status(error) >= 500 or _status(error) == 429 or _code(error) == "RequestTimeout":
        return Unclear(f"S3 answers {_status(error)} {_code(error)}")
    hint = "; without s3:ListBucket a missing object looks like this too" if _code(error) == "AccessDenied" else ""
    return StateUnavailable(f"S3 refuses: {_code(error)}{hint}")


def _status(error: Any) -> int:
    return int(_answer(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _code(error: Any) -> str:
    return str(_answer(error).get("Error", {}).get("Code", ""))


def _answer(error: Any) -> dict[str, Any]:
    return getattr(error, "response", None) or {}
