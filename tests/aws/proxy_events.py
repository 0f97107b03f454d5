"""Requests as events and answers as responses: the Lambda proxy integration of a REST API.

AWS, "Set up Lambda proxy integrations for API Gateway", "Content type conversions in API Gateway", "Amazon API Gateway
important notes".
"""

import base64
import gzip
import json
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

EDGE = "130.176.0.1"  # an address of CloudFront's, through which an edge-optimized API is reached
HOP_BY_HOP = {
    *("connection", "content-length", "expect", "host", "keep-alive", "proxy-connection", "te", "trailer"),
    *("transfer-encoding", "upgrade", "via"),
}
REMAPPED = {
    *("authorization", "connection", "content-length", "date", "host", "server", "user-agent", "www-authenticate"),
}

Headers = list[tuple[str, str]]


class Request(NamedTuple):
    """A request as it arrived.

    Attributes:
        host: The host name.
        path: Percent-encoded, with the stage or the base path.
        query: Percent-encoded.
        client: The address it came from.
    """

    host: str
    method: str
    path: str
    query: str
    headers: Headers
    body: bytes
    client: str


class Response(NamedTuple):
    """A response."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True)
class Route:
    """Where a request goes.

    Attributes:
        api_id: The API's id.
        stage: The stage's name.
        variables: The stage's variables.
        resource_id: The resource's id.
        resource: Its path, such as `/{proxy+}`.
        path: The event's path: without the stage, with the base path of a custom domain, percent-encoded.
        parameters: The path's parameters.
        binary: The API's binary media types.
        smallest_compressed: The fewest bytes of an answer that is compressed; None for never.
        caller: What is known of the caller: the key, or who signed.
        authorizer: An authorizer's answer; None without an authorizer.
    """

    account: str
    api_id: str
    stage: str
    resource_id: str
    resource: str
    path: str
    variables: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    binary: tuple[str, ...] = ()
    smallest_compressed: int | None = None
    caller: Mapping[str, str] = field(default_factory=dict)
    authorizer: Mapping[str, Any] | None = None


class Malformed(Exception):
    """The function returned something that the gateway does not understand."""


def event(request: Request, route: Route) -> dict[str, Any]:
    """Return the event for a request.

    Args:
        request: The request.
        route: Where it goes.
    """
    headers = [(name, value) for name, value in request.headers if name.lower() not in HOP_BY_HOP]
    headers = _with_forwarded(request, headers)
    query = parse_qsl(request.query, keep_blank_values=True, errors="replace")
    is_binary = _matches(header(request.headers, "content-type"), route.binary)
    body = base64.b64encode(request.body).decode() if is_binary else request.body.decode(errors="replace")
    return {
        "resource": route.resource,
        "path": unquote(route.path),
        "httpMethod": request.method,
        "headers": dict(headers) or None,
        "multiValueHeaders": _many(headers),
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": _many(query),
        "pathParameters": {name: unquote(value) for name, value in route.parameters.items()} or None,
        "stageVariables": dict(route.variables) or None,
        "requestContext": _context(request, route),
        "body": body if request.body else None,
        "isBase64Encoded": bool(request.body) and is_binary,
    }


def response(payload: bytes, request: Request, route: Route) -> Response:
    """Return the response for a function's answer.

    Args:
        payload: What the function returned, in JSON.
        request: The request.
        route: Where it went.

    Raises:
        Malformed: It is not an answer of a proxy integration.
    """
    answer = json.loads(payload)
    if not isinstance(answer, dict) or answer.keys() - {
        "statusCode",
        "headers",
        "multiValueHeaders",
        "body",
        "isBase64Encoded",
    }:
        raise Malformed(answer)
    status, text = answer.get("statusCode", 200), answer.get("body") or ""
    if not isinstance(text, str) or not str(status).isdecimal() or not 100 <= int(status) <= 599:
        raise Malformed(answer)
    body = text.encode()
    if answer.get("isBase64Encoded") and _matches(header(request.headers, "accept"), route.binary):
        try:
            body = base64.b64decode(text, validate=True)
        except ValueError as error:
            raise Malformed(answer) from error
    headers = list(_headers(answer))
    if not header(headers, "content-type"):
        headers.append(("Content-Type", "application/json"))
    headers, body = _compressed(headers, body, request, route)
    return Response(int(status), headers, body)


def refusal(status: int, message: str, error: str) -> Response:
    """Return one of the gateway's own error responses.

    Args:
        status: The HTTP status.
        message: The message for the client.
        error: The exception's name, for the header `x-amzn-ErrorType`.
    """
    headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", error)]
    return Response(status, headers, json.dumps({"message": message}).encode())


def header(headers: Headers, name: str) -> str:
    """Return a header's last value; empty if it is missing."""
    return next((value for key, value in reversed(headers) if key.lower() == name), "")


def _with_forwarded(request: Request, headers: Headers) -> Headers:
    before = [value for name, value in headers if name.lower() == "x-forwarded-for"]
    own = ("x-forwarded-for", "x-forwarded-port", "x-forwarded-proto")
    return [
        *((name, value) for name, value in headers if name.lower() not in own),
        ("Host", request.host),
        ("Via", "1.1 d111111abcdef8.cloudfront.net (CloudFront)"),
        ("X-Amzn-Trace-Id", f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]}"),
        ("X-Forwarded-For", ", ".join((*before, request.client, EDGE))),
        ("X-Forwarded-Port", "443"),
        ("X-Forwarded-Proto", "https"),
    ]


def _context(request: Request, route: Route) -> dict[str, Any]:
    now = time.time()
    nobody = ("accessKey", "accountId", "caller", "cognitoAuthenticationProvider", "cognitoAuthenticationType")
    nobody = (*nobody, "cognitoIdentityId", "cognitoIdentityPoolId", "principalOrgId", "user", "userArn")
    identity = dict.fromkeys(nobody) | {"sourceIp": request.client} | dict(route.caller)
    authorizer = {} if route.authorizer is None else {"authorizer": dict(route.authorizer)}
    return authorizer | {
        "accountId": route.account,
        "apiId": route.api_id,
        "domainName": request.host,
        "domainPrefix": request.host.partition(".")[0],
        "extendedRequestId": uuid.uuid4().hex[:16],
        "httpMethod": request.method,
        "identity": identity | {"userAgent": header(request.headers, "user-agent") or None},
        "path": unquote(request.path),
        "protocol": "HTTP/1.1",
        "requestId": str(uuid.uuid4()),
        "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "requestTimeEpoch": int(now * 1000),
        "resourceId": route.resource_id,
        "resourcePath": route.resource,
        "stage": route.stage,
    }


def _headers(answer: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Yield the headers of an answer; multi-value ones override single ones of the same name."""
    many, single = answer.get("multiValueHeaders") or {}, answer.get("headers") or {}
    if not isinstance(many, dict) or not isinstance(single, dict):
        raise Malformed(answer)
    overridden = {name.lower() for name in many}
    values = [(name, value) for name, found in many.items() for value in found]
    values += [(name, value) for name, value in single.items() if name.lower() not in overridden]
    for name, value in values:
        if not isinstance(value, str | int | float):
            raise Malformed(answer)
        if name.lower() != "transfer-encoding":
            text = str(value).lower() if isinstance(value, bool) else str(value)
            yield f"x-amzn-Remapped-{name}" if name.lower() in REMAPPED else name, text


def _compressed(headers: Headers, body: bytes, request: Request, route: Route) -> tuple[Headers, bytes]:
    """Compress a body if the API does so and the client accepts it ("Enable payload compression for an API")."""
    smallest, codings = route.smallest_compressed, header(request.headers, "accept-encoding")
    if smallest is None or len(body) < smallest or header(headers, "content-encoding") or "gzip" not in codings:
        return headers, body
    return [*headers, ("Content-Encoding", "gzip")], gzip.compress(body, mtime=0)


def _matches(header: str, binary: tuple[str, ...]) -> bool:
    """Tell whether the first media type of a header is binary."""
    media_type = header.partition(",")[0].partition(";")[0].strip().lower()
    return "*/*" in binary or media_type in binary


def _many(pairs: Headers) -> dict[str, list[str]] | None:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found or None
