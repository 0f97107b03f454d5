"""One S3 object, read and replaced on conditions, with every answer sorted into what it means for the caller."""

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
PIECE = 2048  # bytes; small, for the time is looked at between pieces


class Refused(Exception):
    """Tell that another version is in place than the one that a replacement was made from."""


class Unclear(Exception):
    """Tell that S3 did not answer, or not with a decision; the text says how."""


class S3Object:
    """Be one object; boto3's own chain finds the credentials, and `AWS_ENDPOINT_URL` another S3.

    Args:
        bucket: Its bucket.
        key: Its key.
        role: The function's role, where that is who reads: boto3 is then imported only for what a plain GET is not.
    """

    def __init__(self, bucket: str, key: str, role: Role | None = None) -> None:
        self._name = {"Bucket": bucket, "Key": key}
        self._role = role

    def get(self, known_etag: str | None) -> Stored | None:
        """Return the current version, None where there is no object.

        Args:
            known_etag: The version that the caller has; where it is current, it comes back without a body.

        Raises:
            Unclear: S3 did not answer.
            StateUnavailable: S3 refuses the request.
        """
        stored = self._plainly_got(known_etag)
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
            raise _sorted(error) from error

    def put(self, body: bytes, made_from: str | None) -> str:
        """Replace the version that the body was made from, and return the new one's ETag.

        Args:
            body: The new version.
            made_from: The ETag of the old one, None to make the object.

        Raises:
            Refused: Another version is there.
            Unclear: S3 did not answer; the replacement may have happened, or may still.
            StateUnavailable: S3 refuses the request.
        """
        condition = {"IfMatch": made_from} if made_from else {"IfNoneMatch": "*"}
        try:
            return str(self._client.put_object(**self._name, **condition, Body=body)["ETag"])
        except self._errors as error:
            # 412: another version; 409: another replacement at the same time; NoSuchKey: deleted in between.
            if _status(error) in (409, 412) or _code(error) == "NoSuchKey":
                raise Refused("other instances keep writing first") from error
            raise _sorted(error) from error

    def _plainly_got(self, known_etag: str | None) -> Stored | None:
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

        # No retries here: before an upload is repeated, somebody has to look whether it was carried out.
        once = {"total_max_attempts": 1, "mode": "standard"}
        config = Config(connect_timeout=CONNECT_TIMEOUT, read_timeout=READ_TIMEOUT, retries=once)
        try:
            return boto3.client("s3", config=config)
        except ValueError as error:  # the address in AWS_ENDPOINT_URL is none
            raise StateUnavailable(f"S3 cannot be asked: {error}") from error

    @functools.cached_property
    def _errors(self) -> tuple[type[Exception], ...]:
        from botocore.exceptions import BotoCoreError, ClientError

        return BotoCoreError, ClientError


def _read(stream: Any) -> bytes:
    """Return a whole body, or give up on one that comes too slowly: the time-out holds for each piece alone."""
    deadline, pieces = time.monotonic() + SLOWEST_CALL, []
    with contextlib.closing(stream):
        for piece in stream.iter_chunks(PIECE):
            pieces.append(piece)
            if time.monotonic() > deadline:
                raise Unclear("S3 sends the object too slowly")
    return b"".join(pieces)


def _sorted(error: Exception) -> Exception:
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
