"""Limits that a request has to meet before a resource sees it, and security headers of every response.

The server in front (gunicorn, API Gateway) limits the request line and the headers; this limits the rest.
"""

import re

import falcon

LONGEST_BODY = 10_000  # bytes

# OWASP REST Security Cheat Sheet, "Security Headers": an API response is not a page, so it must load nothing and must
# not be framed. Pages and cards set their own policy.
NOTHING_ALLOWED = "default-src 'none'; frame-ancestors 'none'"
# No includeSubDomains and no preload: they would affect whatever else runs on the domain (RFC 6797, section 6.1).
A_YEAR_OF_HTTPS = "max-age=31536000"

# RFC 3986, section 3.2.2, restricted to what occurs in host names and addresses; some internal names have underscores.
_HOST = re.compile(r"([A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{0,5})?")


class Edges:
    """Reject oversized or malformed requests, and set the security headers."""

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Check the request's host and the declared length of its body.

        Raises:
            falcon.HTTPBadRequest: The host, which links are built from, is malformed (RFC 9112, section 3.2).
            falcon.HTTPContentTooLarge: The body is longer than `LONGEST_BODY`.
            falcon.HTTPLengthRequired: The body's length is not declared (RFC 9112, section 6.3).
        """
        env = req.env
        host = env.get("HTTP_HOST")
        if host is not None and not _HOST.fullmatch(host):
            raise falcon.HTTPBadRequest(title="Invalid Host", description="The header Host is not a host's name.")
        if "HTTP_TRANSFER_ENCODING" in env:
            raise falcon.HTTPLengthRequired(description="Send the body with its length, in the header Content-Length.")
        if "CONTENT_LENGTH" in env and (req.content_length or 0) > LONGEST_BODY:
            raise falcon.HTTPContentTooLarge(description=f"A body may have at most {LONGEST_BODY} bytes.")

    def process_response(self, req: falcon.Request, resp: falcon.Response, resource: object, succeeded: bool) -> None:
        """Set the headers that OWASP advises for an API, except a policy that a successful resource set itself."""
        if not succeeded or resp.get_header("Content-Security-Policy") is None:
            resp.set_header("Content-Security-Policy", NOTHING_ALLOWED)
        resp.set_header("Referrer-Policy", "no-referrer")
        if req.scheme == "https":
            resp.set_header("Strict-Transport-Security", A_YEAR_OF_HTTPS)


def body_of(req: falcon.Request) -> bytes:
    """Return the body of a request that `Edges` has accepted.

    Raises:
        falcon.HTTPBadRequest: The body is shorter than its declared length.
    """
    length = req.content_length or 0
    body = req.bounded_stream.read(length) if length else b""
    if len(body) < length:
        raise falcon.HTTPBadRequest(description=f"The body ended after {len(body)} of {length} bytes.")
    return body
