"""The endpoint of the emulated AWS: moto's server, with permission checks and with what moto lacks.

Each call is recorded. Calls with a function's credentials need a permission of its role; the deployer may do anything.
"""

import contextlib
import io
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import ThreadedWSGIServer

from tests.aws.calls import Call, understood
from tests.aws.functions import Functions, tail, version
from tests.aws.roles import Roles

OWN_KEY = "HARNESS"  # signs the tests' own calls, which are not recorded
SEND = {"sns": "sns:Publish", "sqs": "sqs:SendMessage"}
MOST_PAYLOAD = 6 * 1024 * 1024  # bytes, of an event or an answer

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
Answer = tuple[str, Headers, bytes]
Interference = Callable[[Call, Callable[[], Answer]], Answer]


class _Handler(MotoRequestHandler):
    protocol_version = "HTTP/1.0"  # so that no connection, and no thread, outlives its answer

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Keep quiet."""


class Endpoint:
    """Serve AWS's APIs on loopback.

    Args:
        account: The account's number.
        functions: Its functions.
        roles: Its roles.

    Attributes:
        url: The value for `AWS_ENDPOINT_URL`.
        calls: The calls so far.
        interference: Answers the calls that are not refused; by default, as AWS would.
        packages: Functions' packages, by the path of their URL in the answers of `GetFunction`.
    """

    def __init__(self, account: str, functions: Functions, roles: Roles) -> None:
        self.calls: list[Call] = []
        self.interference: Interference = answered
        self.packages: dict[str, bytes] = {}
        self._account = account
        self._functions = functions
        self._roles = roles
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._writing_s3 = threading.Lock()
        self._server = ThreadedWSGIServer("127.0.0.1", 0, self, _Handler)
        self._server.daemon_threads = False  # closing waits for its threads
        self.url = f"http://127.0.0.1:{self._server.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="aws")
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __call__(self, environ: Environ, start_response: Callable[[str, Headers], object]) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        body = _body(environ)
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        call = understood(environ, body, self._account)
        if call.access_key_id != OWN_KEY:
            self.calls.append(call)
        role = self._roles.of(call.access_key_id)
        if role and not self._roles.allows(role, call.action, call.resource):
            status, headers, content = _refused(call, role, environ)
        else:
            status, headers, content = self.interference(call, lambda: self._answered(call, environ, body))
            if role and call.action == "s3:GetObject" and status.startswith("404"):
                bucket = call.resource.partition("/")[0]
                if not self._roles.allows(role, "s3:ListBucket", bucket):  # then S3 does not reveal that it is missing
                    status, headers, content = _refused(call, role, environ)
        start_response(status, headers)
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else content]

    def _answered(self, call: Call, environ: Environ, body: bytes) -> Answer:
        if call.service == "lambda":
            return self._answered_lambda(call, environ, body)
        writes = call.service == "s3" and environ["REQUEST_METHOD"] not in ("GET", "HEAD")
        # In moto, checking a condition and replacing an object is not atomic.
        with self._writing_s3 if writes else contextlib.nullcontext():
            return self._asked_moto(environ)

    def _answered_lambda(self, call: Call, environ: Environ, body: bytes) -> Answer:
        action = call.action.removeprefix("lambda:")
        arn = call.resource.replace(":function:function:", ":function:")
        for name in ("PATH_INFO", "RAW_URI", "REQUEST_URI"):  # "function:name:1" is a valid name
            environ[name] = re.sub("/functions/function(:|%3A)", "/functions/", environ[name])
        if action == "ListFunctionUrlConfigs":
            return _json("200 OK", {"FunctionUrlConfigs": []})
        if action == "InvokeFunction":
            qualifier = parse_qs(environ["QUERY_STRING"]).get("Qualifier", [""])[0]
            arn = f"{arn}:{qualifier}" if qualifier else arn
            if self._functions.exists(arn):
                return self._invoked(arn, environ, body)
        letters = None
        if action in ("CreateFunction", "UpdateFunctionConfiguration"):
            given = json.loads(body)
            letters = given.get("DeadLetterConfig", {}).get("TargetArn")
            role = given.get("Role") or self._functions.named(arn).role
            for needed, what in _needed(given):
                if not self._roles.allows(role, needed, what):
                    message = f"The provided execution role does not have permissions to call {needed} on {what}"
                    return _json("400 Bad Request", {"Message": message}, "InvalidParameterValueException")
        status, headers, content = self._asked_moto(environ)
        if status.startswith("20"):
            found = json.loads(content or b"{}")
            if letters is not None:
                self._functions.dead_letters[found["FunctionArn"]] = letters
            if action == "DeleteFunction":
                self._functions.forget(arn)
            if action == "AddPermission":
                return "201 Created", headers, content
            if action == "GetFunction":
                found["Code"]["Location"] = self._location(found["Configuration"])
                return _json(status, found)
        return status, headers, content

    def _location(self, configuration: Mapping[str, str]) -> str:
        """Return the URL of a function's package; moto's is the same for all versions."""
        function = self._functions.named(configuration["FunctionArn"])
        path = f"/snapshots/{self._account}/{function.function_name}-{function.code_digest.rpartition(':')[2]}"
        self.packages[path] = function.code_bytes
        return f"https://awslambda-{function.region}-tasks.s3.{function.region}.amazonaws.com{path}"

    def _invoked(self, arn: str, environ: Environ, body: bytes) -> Answer:
        """Invoke a function (AWS, "Invoke", in the Lambda API reference)."""
        if len(body) > MOST_PAYLOAD:
            message = {"Message": f"{len(body)} byte payload is too large for the RequestResponse invocation type"}
            return _json("413 Payload Too Large", message, "RequestTooLargeException")
        kind = environ.get("HTTP_X_AMZ_INVOCATION_TYPE", "RequestResponse")
        if kind == "DryRun":
            return "204 No Content", [], b""
        if kind == "Event":
            return "202 Accepted", [("x-amzn-RequestId", self._functions.send(arn, body or b"{}"))], b""
        outcome = self._functions.invoke(arn, body or b"{}")
        headers = [
            ("Content-Type", "application/json"),
            ("X-Amz-Executed-Version", version(self._functions.named(arn))),
        ]
        if outcome.failed:
            headers.append(("X-Amz-Function-Error", "Unhandled"))
        if environ.get("HTTP_X_AMZ_LOG_TYPE") == "Tail":
            headers.append(("X-Amz-Log-Result", tail(outcome.lines)))
        return "200 OK", [*headers, ("Content-Length", str(len(outcome.payload)))], outcome.payload

    def _asked_moto(self, environ: Environ) -> Answer:
        answer: list[Any] = []
        body = self._moto(environ, lambda status, headers, *_: answer.extend((status, headers)))
        try:
            content = b"".join(body)
        finally:
            if hasattr(body, "close"):
                body.close()
        return answer[0], answer[1], content


def _needed(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what a role must allow for a function's configuration (Lambda API reference, CreateFunction)."""
    if letters := given.get("DeadLetterConfig", {}).get("TargetArn"):
        yield SEND[letters.split(":")[2]], letters
    if given.get("VpcConfig", {}).get("SubnetIds"):
        yield from ((f"ec2:{name}", "*") for name in ("CreateNetworkInterface", "DescribeNetworkInterfaces"))
    if given.get("TracingConfig", {}).get("Mode") == "Active":
        yield "xray:PutTraceSegments", "*"


def answered(_: Call, answer: Callable[[], Answer]) -> Answer:
    """Answer a call without interference."""
    return answer()


def refused(*_: object) -> Answer:
    """Answer a call to SNS with an internal failure."""
    error = "<ErrorResponse><Error><Code>InternalFailure</Code></Error></ErrorResponse>"
    return (
        "500 Internal Server Error",
        [("Content-Type", "text/xml"), ("Content-Length", str(len(error)))],
        error.encode(),
    )


def _body(environ: Environ) -> bytes:
    if environ.pop("HTTP_TRANSFER_ENCODING", None):
        return bytes(environ["wsgi.input"].read())  # ends with the last chunk
    return bytes(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))


def _json(status: str, document: object, error: str = "") -> Answer:
    body = json.dumps(document).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    return status, [*headers, ("x-amzn-ErrorType", error)] if error else headers, body


def _refused(call: Call, role: str, environ: Environ) -> Answer:
    """Refuse a call in the protocol of its service."""
    text = f"User: {role} is not authorized to perform: {call.action} on resource: {call.resource}"
    if "HTTP_X_AMZ_TARGET" in environ or call.service in ("apigateway", "lambda", "xray"):
        error = "AccessDeniedException"
        return _json("403 Forbidden", {"__type": error, "Message": text, "message": text}, error)
    code = "AuthorizationError" if call.service == "sns" else "AccessDenied"
    body = f"<Error><Code>{code}</Code><Message>{escape(text)}</Message></Error>"
    if call.service != "s3":
        body = f"<ErrorResponse>{body}</ErrorResponse>"
    return "403 Forbidden", [("Content-Type", "text/xml"), ("Content-Length", str(len(body.encode())))], body.encode()
