"""A plain GET from S3, signed with the function's role: what a cold start needs of S3, without boto3's import.

Importing boto3 takes as long as everything else that a cold daily quote needs. Only a whole object or "not modified" is
an answer here; whatever else S3 says is left to boto3, which knows redirects, throttling and error codes.
"""

import contextlib
import datetime as dt
import functools
import hashlib
import hmac
import ssl
import time
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from quotes.settings import Role

_NO_BODY = hashlib.sha256(b"").hexdigest()


class Stored(NamedTuple):
    """Hold a version of an object; no body where it is the version that was known."""

    body: bytes
    etag: str


class Timeouts(NamedTuple):
    """Say how long a GET may take, in seconds.

    Attributes:
        connect: For the connection.
        read: For each piece of the answer.
        whole: For all of it.
        piece: Most bytes of a piece.
    """

    connect: float
    read: float
    whole: float
    piece: int


def get(role: Role, bucket: str, key: str, known_etag: str | None, timeouts: Timeouts) -> Stored | None:
    """Get an object; None where S3 answers anything but the object or that it is not modified.

    Args:
        role: Who asks.
        bucket: The object's bucket.
        key: Its key.
        known_etag: The version that the caller has; where it is current, it comes back without a body.
        timeouts: How long that may take.

    Raises:
        OSError: There was no whole answer in time.
    """
    url = url_of(role, bucket, key)
    if url is None:
        return None
    parts = urlsplit(url)
    headers = signed(role, parts.netloc, parts.path, dt.datetime.now(dt.UTC))
    if known_etag:
        headers["If-None-Match"] = known_etag
    deadline = time.monotonic() + timeouts.whole
    with contextlib.closing(_connection(parts.scheme, parts.netloc, timeouts.connect)) as connection:
        try:
            connection.connect()
            connection.sock.settimeout(timeouts.read)
            connection.request("GET", parts.path, headers=headers)
            response = connection.getresponse()
            etag = response.getheader("ETag", "")
            if response.status == 304 and known_etag:
                return Stored(b"", known_etag)
            if response.status != 200 or not etag:
                return None
            return Stored(_whole_body(response, deadline, timeouts.piece), etag)
        except HTTPException as error:
            raise OSError(f"no HTTP ({type(error).__name__})") from error


def url_of(role: Role, bucket: str, key: str) -> str | None:
    """Return the URL of an object; None where it is not the usual one (S3 user guide, "Virtual hosting of buckets").

    Args:
        role: Whose region or endpoint it is.
        bucket: The object's bucket.
        key: Its key.
    """
    if role.endpoint:
        if not role.endpoint.startswith(("http://", "https://")):
            return None  # boto3 says what is wrong with it
        return f"{role.endpoint.rstrip('/')}/{bucket}/{quote(key)}"
    if "." in bucket or role.region.startswith(("cn-", "us-iso", "eusc-")):
        return None  # no certificate for such a name, or another domain
    return f"https://{bucket}.s3.{role.region}.amazonaws.com/{quote(key)}"


def signed(role: Role, host: str, path: str, now: dt.datetime) -> dict[str, str]:
    """Return the headers of a signed GET (AWS, "Authenticating Requests: Using the Authorization Header", version 4).

    Args:
        role: Who signs.
        host: The host, with its port where it is not the scheme's own.
        path: The path, percent-encoded.
        now: The time, aware.
    """
    at = now.astimezone(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {"Host": host, "X-Amz-Content-SHA256": _NO_BODY, "X-Amz-Date": at}
    if role.session_token:
        headers["X-Amz-Security-Token"] = role.session_token
    canonical = sorted((name.lower(), value) for name, value in headers.items())
    names = ";".join(name for name, _ in canonical)
    request = "\n".join(["GET", path, "", *(f"{name}:{value}" for name, value in canonical), "", names, _NO_BODY])
    scope = f"{at[:8]}/{role.region}/s3/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{role.secret_access_key}".encode()
    for part in (*scope.split("/"), to_sign):
        key = hmac.digest(key, part.encode(), "sha256")
    credential = f"{role.access_key_id}/{scope}"
    authorization = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={key.hex()}"
    return headers | {"Authorization": authorization}


def _connection(scheme: str, host: str, timeout: float) -> HTTPConnection:
    return (
        HTTPSConnection(host, timeout=timeout, context=_tls())
        if scheme == "https"
        else HTTPConnection(host, timeout=timeout)
    )


@functools.cache
def _tls() -> ssl.SSLContext:
    """Return what knows the authorities; reading them takes as long as all the rest of a start's Python."""
    return ssl.create_default_context()


def _whole_body(response: HTTPResponse, deadline: float, piece: int) -> bytes:
    pieces, length = [], response.length
    while data := response.read1(piece):
        pieces.append(data)
        if time.monotonic() > deadline:
            raise TimeoutError("the object comes too slowly")
    body = b"".join(pieces)
    if length is not None and len(body) != length:
        raise ConnectionError("the object was cut off")
    return body
