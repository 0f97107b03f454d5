"""A plain GET from S3, signed with the function's role: all a cold start needs of S3, without importing boto3.

Importing boto3 takes as long as everything else on the way to a cold daily quote. Only a complete object or "not
modified" counts as a result here; every other response is left to boto3, which handles redirects, throttling and
error codes.
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
    """Represent a version of an object; the body is empty if the caller has that version already."""

    body: bytes
    etag: str


class Timeouts(NamedTuple):
    """Limit the duration of a GET.

    Attributes:
        connect: Seconds for the connection.
        read: Seconds for each read.
        whole: Seconds for the whole exchange.
        piece: The maximum size of a read, in bytes; `whole` is checked between reads.
    """

    connect: float
    read: float
    whole: float
    piece: int


def get(role: Role, bucket: str, key: str, known_etag: str | None, timeouts: Timeouts) -> Stored | None:
    """Get an object, or None if S3 responds with anything but the object or "not modified".

    Args:
        role: The role that signs the request.
        bucket: The object's bucket.
        key: The object's key.
        known_etag: The version that the caller has; if it is still current, it is returned without a body.
        timeouts: The time limits.

    Raises:
        OSError: No complete response arrived in time.
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
    """Return the URL of an object, or None if only boto3 knows it (S3 user guide, "Virtual hosting of buckets").

    Args:
        role: Has the region or the endpoint.
        bucket: The object's bucket.
        key: The object's key.
    """
    if role.endpoint:
        if not role.endpoint.startswith(("http://", "https://")):
            return None  # boto3 explains what is wrong with it
        return f"{role.endpoint.rstrip('/')}/{bucket}/{quote(key)}"
    if "." in bucket or role.region.startswith(("cn-", "us-iso", "eusc-")):
        return None  # the certificate does not cover such a name, or the partition has another domain
    return f"https://{bucket}.s3.{role.region}.amazonaws.com/{quote(key)}"


def signed(role: Role, host: str, path: str, now: dt.datetime) -> dict[str, str]:
    """Return the headers of a signed GET (AWS Signature Version 4, "Using the Authorization Header").

    Args:
        role: The role that signs.
        host: The host, with the port unless it is the scheme's default.
        path: The percent-encoded path.
        now: The current time, as an aware datetime.
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
    """Return the TLS context, created once: loading the CA certificates is slow."""
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
