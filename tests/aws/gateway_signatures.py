"""Verification of signed requests (AWS, "Signature Version 4 for API requests").

Botocore computes the signature that a request should have from its contents and the key's secret.
"""

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.aws.gateway_refusals import Refused
from tests.aws.proxy_events import Request, header
from tests.aws.roles import Identity, Roles

LATEST = timedelta(minutes=5)  # that a signature's time may differ from AWS's clock
TIME = "%Y%m%dT%H%M%SZ"
ALGORITHM = "AWS4-HMAC-SHA256"
PARTS = re.compile(
    rf"{ALGORITHM} Credential=(?P<key>[^/,\s]+)/(?P<day>\d{{8}})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request,"
    r"\s*SignedHeaders=(?P<headers>[^,\s]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)


class Signatures:
    """Admit requests that are signed correctly by an identity whose policy allows them.

    Args:
        roles: The account's identities.
    """

    def __init__(self, roles: Roles) -> None:
        self._roles = roles

    def admit(self, request: Request, method: str, region: str) -> dict[str, str]:
        """Return what an event says of a request's signer.

        Args:
            request: The request.
            method: The ARN of the method that is called.
            region: The API's region.

        Raises:
            Refused: The signature is missing or wrong, or the signer may not call the method.
        """
        authorization = header(request.headers, "authorization")
        if not authorization:
            if "X-Amz-Signature=" in request.query:
                raise NotImplementedError("signatures in the query")
            raise Refused(403, "Missing Authentication Token", "MissingAuthenticationTokenException")
        parts = PARTS.fullmatch(authorization)
        if not parts:
            raise Refused(403, "Authorization header is no signature.", "IncompleteSignatureException")
        identity = self._roles.identity(parts["key"])
        if not identity or identity.credentials.session_token != header(request.headers, "x-amz-security-token"):
            message = "The security token included in the request is invalid."
            raise Refused(403, message, "UnrecognizedClientException")
        _check(request, parts, identity, region)
        if not self._roles.permits(identity, "execute-api:Invoke", method):
            message = f"User: {identity.arn} is not authorized to perform: execute-api:Invoke on resource: {method}"
            raise Refused(403, message, "AccessDeniedException", "Message")
        caller = {"accessKey": parts["key"], "accountId": identity.account, "userArn": identity.arn}
        return caller | {"user": identity.id, "caller": identity.id}


def _check(request: Request, parts: re.Match[str], identity: Identity, region: str) -> None:
    """Check a signature's time, scope and value."""
    stamp = header(request.headers, "x-amz-date")
    try:
        made = datetime.strptime(stamp, TIME).replace(tzinfo=UTC)
    except ValueError:
        raise Refused(403, "The request has no X-Amz-Date.", "IncompleteSignatureException") from None
    if abs(datetime.now(UTC) - made) > LATEST:
        raise Refused(403, f"Signature expired: {stamp}", "InvalidSignatureException")
    if (parts["region"], parts["service"], parts["day"]) != (region, "execute-api", stamp[:8]):
        message = f"Credential should be scoped to {stamp[:8]}/{region}/execute-api."
        raise Refused(403, message, "InvalidSignatureException")
    signed = parts["headers"].split(";")
    hashed = header(request.headers, "x-amz-content-sha256")
    is_whole = {"host", "x-amz-date"} <= set(signed) and hashed in ("", hashlib.sha256(request.body).hexdigest())
    if not is_whole or not hmac.compare_digest(_signature(request, parts, signed, identity), parts["signature"]):
        message = "The request signature we calculated does not match the signature you provided."
        raise Refused(403, message, "InvalidSignatureException")


def _signature(request: Request, parts: re.Match[str], signed: list[str], identity: Identity) -> str:
    """Return the signature that a request should have."""
    query = f"?{request.query}" if request.query else ""
    again = AWSRequest(request.method, f"https://{request.host}{request.path}{query}", data=request.body)
    for name, value in request.headers:
        if name.lower() in signed:
            again.headers[name] = value
    again.context["timestamp"] = header(request.headers, "x-amz-date")
    key = Credentials(identity.credentials.access_key_id, identity.credentials.secret_access_key)
    signer = SigV4Auth(key, parts["service"], parts["region"])
    signature: str = signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again)
    return signature
