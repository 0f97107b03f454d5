"""The example of a client that signs: a server of our own computes each signature again, by AWS's description."""

import hashlib
import hmac
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

EXAMPLE = Path(__file__).parent.parent / "examples" / "signed_request.py"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}


def signature(request: BaseHTTPRequestHandler, secret: str, region: str) -> str:
    """Compute a signature (AWS, IAM user guide, "Create a signed AWS API request")."""

    def keyed(key: bytes, text: str) -> bytes:
        return hmac.digest(key, text.encode(), hashlib.sha256)

    parts = urlsplit(request.path)
    named = request.headers["Authorization"].partition("SignedHeaders=")[2].partition(",")[0]
    query = sorted((quote(name, "-_.~"), quote(value, "-_.~")) for name, value in parse_qsl(parts.query, True))
    headers = "".join(f"{name}:{' '.join(request.headers[name].split())}\n" for name in named.split(";"))
    listed = "&".join(f"{name}={value}" for name, value in query)
    body = hashlib.sha256(b"").hexdigest()
    canonical = "\n".join([request.command, quote(parts.path, "/-_.~"), listed, headers, named, body])
    time = request.headers["X-Amz-Date"]
    scope = f"{time[:8]}/{region}/execute-api/aws4_request"
    key = f"AWS4{secret}".encode()
    for piece in scope.split("/"):
        key = keyed(key, piece)
    text = "\n".join(["AWS4-HMAC-SHA256", time, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    signed = keyed(key, text).hex()
    return f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, SignedHeaders={named}, Signature={signed}"


class Guard(BaseHTTPRequestHandler):
    """Let in who signs with the key that the server knows, for a region in the east of Ireland."""

    def do_GET(self) -> None:
        right = signature(self, KEYS["AWS_SECRET_ACCESS_KEY"], "eu-west-1")
        is_right = hmac.compare_digest(right, self.headers["Authorization"])
        body = f"{self.command} {self.path} {self.headers.get('X-Amz-Security-Token', 'no session')}".encode()
        self.send_response(200 if is_right else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Guard) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def asked(url: str, **environ: str) -> str:
    known = KEYS | {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true"} | environ
    return subprocess.run([sys.executable, EXAMPLE, url], env=known, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    "path",
    [
        "/dev_iam/daily",
        "/dev_iam/quotes?q=love%20me&limit=2&author=J.%20Keats&z=",
        "/dev_iam/quotes/a%20b~c?b=2&a=%C3%A9",
    ],
)
def test_what_is_signed_is_what_is_asked(url: str, path: str):
    assert asked(f"{url}{path}") == f"200 GET {path} no session\n"


def test_the_credentials_of_a_session_are_signed_with_their_token(url: str):
    assert asked(f"{url}/daily", AWS_SESSION_TOKEN="a/session+token==") == "200 GET /daily a/session+token==\n"


@pytest.mark.parametrize("wrong", [{"AWS_SECRET_ACCESS_KEY": "another"}, {"AWS_DEFAULT_REGION": "us-east-1"}])
def test_another_key_or_region_is_another_signature(url: str, wrong: dict[str, str]):
    assert asked(f"{url}/daily", **wrong) == "403 GET /daily no session\n"
