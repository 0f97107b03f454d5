"""What a request must not exceed before any resource sees it, and what every answer forbids a browser.

The server in front (gunicorn, API Gateway) bounds the request line and the headers; this bounds what it hands on.
"""

import re

import falcon

LONGEST_BODY = 10_000  # bytes

# OWASP REST Security Cheat Sheet, "Security Headers": an answer of an API is no page, so it may load nothing and be
# framed by nobody; a page or a card brings a policy of its own.
NOTHING_ALLOWED = "default-src 'none'; frame-ancestors 'none'"
# No includeSubDomains and no preload: what else runs on the domain is not ours to decide (RFC 6797, section 6.1).
A_YEAR_OF_HTTPS = "max-age=31536000"

# RFC 3986, section 3.2.2, without what no host name or address has; the underscore is for names inside a network.
_HOST = re.compile(r"([A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{0,5})?")


class Edges:
    """Refuse what is too large or makes no sense, and tell browsers what an answer is not for."""

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Look at what the request says of its host and its body.

        Raises:
            falcon.HTTPBadRequest: The host is none (RFC 9112, section 3.2); links in answers are built from it.
            falcon.HTTPContentTooLarge: The body is longer than `LONGEST_BODY`.
            falcon.HTTPLengthRequired: The body's length is not told beforehand (RFC 9112, section 6.3).
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
        """Set what OWASP advises for an API, where the resource has not set its own; an error is no page either."""
        if not succeeded or resp.get_header("Content-Security-Policy") is None:
            resp.set_header("Content-Security-Policy", NOTHING_ALLOWED)
        resp.set_header("Referrer-Policy", "no-referrer")
        if req.scheme == "https":
            resp.set_header("Strict-Transport-Security", A_YEAR_OF_HTTPS)


def body_of(req: falcon.Request) -> bytes:
    """Return the body of a request that `Edges` has let through.

    Raises:
        falcon.HTTPBadRequest: It ended before it had the length that was announced.
    """
    length = req.content_length or 0
    body = req.bounded_stream.read(length) if length else b""
    if len(body) < length:
        raise falcon.HTTPBadRequest(description=f"The body ended after {len(body)} of {length} bytes.")
    return body
