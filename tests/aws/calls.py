"""API calls: whose, which action of which service, on which resource."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple
from urllib.parse import parse_qs, unquote

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

# The services that identify an operation by method and path, by their names in a signature.
BY_PATH = {"apigateway": "apigateway", "lambda": "lambda", "route53": "route53", "s3": "s3", "xray": "xray"}

# Permissions are not always named as operations are (AWS, "Service Authorization Reference").
ACTIONS = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:CopyObject": "s3:PutObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:UploadPart": "s3:PutObject",
    "sns:PublishBatch": "sns:Publish",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}
PREFIXES = {"monitoring": "cloudwatch"}  # of actions, if the signature has another name

CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request")


class Call(NamedTuple):
    """An API call.

    Attributes:
        access_key_id: The caller's; empty if the call is not signed.
        service: The service's name in the signature.
        action: The action that needs permission, such as `s3:GetObject`.
        resource: An ARN; `*` if the action has no resource, or none that a function of ours would use.
        region: The region.
    """

    access_key_id: str
    service: str
    action: str
    resource: str
    region: str


def understood(environ: Mapping[str, str], body: bytes, account: str) -> Call:
    """Return the call that a request makes.

    Args:
        environ: The request (PEP 3333).
        body: Its body.
        account: The account's number.
    """
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    signature = environ.get("HTTP_AUTHORIZATION") or f"Credential={query.get('X-Amz-Credential', [''])[0]}"
    found = CREDENTIAL.search(signature)
    key, region, service = found.groups() if found else ("", "us-east-1", "")
    path = environ.get("PATH_INFO", "/").encode("latin-1").decode(errors="replace")
    operation, fields = _operation(service, environ, path, query, body)
    if operation == "PutObject" and "HTTP_X_AMZ_COPY_SOURCE" in environ:
        operation = "CopyObject"
    action = f"{PREFIXES.get(service, service)}:{operation}"
    resource = _resource(service, fields, f"{region}:{account}")
    return Call(key, service, ACTIONS.get(action, action), resource, region)


def _operation(
    service: str, environ: Mapping[str, str], path: str, query: dict[str, list[str]], body: bytes
) -> tuple[str, dict[str, str]]:
    """Return an operation's name, and the values that may identify its resource."""
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        fields = json.loads(body or b"{}")
        return target.rpartition(".")[2], {name: value for name, value in fields.items() if isinstance(value, str)}
    if path.startswith("/service/"):  # CBOR
        return path.rpartition("/")[2], {}
    if service in BY_PATH:
        for method, pattern, needed, name in _patterns(BY_PATH[service]):
            match = pattern.fullmatch(path)
            if match and method == environ["REQUEST_METHOD"] and needed <= query.keys():
                return name, {field: unquote(value) for field, value in match.groupdict().items()}
        return "Unknown", {}
    form = parse_qs(body.decode(errors="replace")) | query
    return form.get("Action", ["Unknown"])[0], {name: values[0] for name, values in form.items()}


@cache
def _patterns(service: str) -> list[tuple[str, re.Pattern[str], frozenset[str], str]]:
    """Return the methods, paths and needed query parameters of a service's operations, the most specific first."""
    model = ServiceModel(Loader().load_service_model(service, "service-2"))
    operations = [model.operation_model(name) for name in model.operation_names]
    return sorted(
        (_pattern(operation) for operation in operations), key=lambda found: (-len(found[2]), found[1].pattern)
    )


def _pattern(operation: OperationModel) -> tuple[str, re.Pattern[str], frozenset[str], str]:
    path, _, query = operation.http["requestUri"].partition("?")
    needed = {part.partition("=")[0] for part in query.split("&") if part}
    if operation.input_shape:
        required = operation.input_shape.required_members
        shapes = (operation.input_shape.members[name] for name in required)
        needed |= {
            shape.serialization["name"] for shape in shapes if shape.serialization.get("location") == "querystring"
        }
    parts = re.split(r"(\{\w+\+?\})", path)
    pattern = "".join(_part(part) for part in parts) + "/?"
    return operation.http["method"], re.compile(pattern, re.DOTALL), frozenset(needed), operation.name


def _part(part: str) -> str:
    if not part.startswith("{"):
        return re.escape(part)
    name = part.strip("{+}").replace("-", "_")
    return f"(?P<{name}>.+)" if part.endswith("+}") else f"(?P<{name}>[^/]+)"


def _resource(service: str, fields: Mapping[str, str], place: str) -> str:
    return next(_resources(service, fields, place), "*")


def _resources(service: str, fields: Mapping[str, str], place: str) -> Iterator[str]:
    if service == "s3" and "Bucket" in fields:
        yield f"arn:aws:s3:::{fields['Bucket']}" + (f"/{fields['Key']}" if "Key" in fields else "")
    if service == "lambda" and "FunctionName" in fields:
        name = fields["FunctionName"]
        yield name if name.startswith("arn:") else f"arn:aws:lambda:{place}:function:{name}"
    if service == "sns":
        yield from (fields[name] for name in ("TopicArn", "TargetArn", "PhoneNumber") if name in fields)
        if "Name" in fields:
            yield f"arn:aws:sns:{place}:{fields['Name']}"
    if service == "sqs" and "QueueUrl" in fields:
        yield f"arn:aws:sqs:{place}:{fields['QueueUrl'].rpartition('/')[2]}"
    if service == "logs" and "logGroupName" in fields:
        stream = f":log-stream:{fields['logStreamName']}" if "logStreamName" in fields else ""
        yield f"arn:aws:logs:{place}:log-group:{fields['logGroupName']}{stream}"
