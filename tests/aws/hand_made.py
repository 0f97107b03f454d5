"""Functions and APIs created call by call from a few lines of source, for the harness's own tests."""

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any, NamedTuple

from tests.aws.account import Account

# A function that answers a request with its event, and one that returns the value of a parameter.
ECHO = """
import json
def handler(event, context):
    return {"statusCode": 200, "body": json.dumps(event)}
"""
ANSWER = "import json\ndef handler(event, context): return json.loads(event['queryStringParameters']['answer'])"

EVERYTHING_IS_BINARY = ("add", "/binaryMediaTypes/*~1*", "")  # for `HandMade.patch`

OPEN = {"authorizationType": "NONE"}  # no credential is required

TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
LOGS = {"Effect": "Allow", "Action": ["logs:*", "lambda:InvokeFunction"], "Resource": "*"}


class Api(NamedTuple):
    """An API's id, and the URL of its stage `dev`."""

    id: str
    url: str


class HandMade:
    """Create functions and APIs in an account, and delete them at the end."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self._functions: list[str] = []
        self._apis: list[str] = []

    def package(self, source: str, mode: int = 0o644) -> bytes:
        """Return a package with a module `function`."""
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as files:
            entry = zipfile.ZipInfo("function.py")
            entry.external_attr = mode << 16
            files.writestr(entry, source)
        return package.getvalue()

    def function(self, name: str, source: str | bytes, *statements: Mapping[str, Any], **configuration: Any) -> str:
        """Create a function with a role of its own, and return its ARN.

        Args:
            name: Of the function and the role.
            source: Of a module with `handler(event, context)`, or a package.
            statements: In the role's policy, besides the right to write its log.
            configuration: Further arguments of `CreateFunction`.
        """
        iam = self.account.client("iam")
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
        policy = json.dumps({"Version": "2012-10-17", "Statement": [LOGS, *statements]})
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
        code = {"ZipFile": self.package(source) if isinstance(source, str) else source}
        known = {"Runtime": "python3.11", "Handler": "function.handler", "Timeout": 10} | configuration
        made = self.account.client("lambda").create_function(FunctionName=name, Role=role, Code=code, **known)
        self._functions.append(name)
        arn: str = made["FunctionArn"]
        return arn

    def api(
        self,
        function: str,
        role: str,
        paths: tuple[str, ...] = ("{proxy+}",),
        closed: Mapping[str, Any] = OPEN,
        **integration: Any,
    ) -> Api:
        """Create and return an API whose stage `dev` passes everything to a function.

        Args:
            function: The function's ARN.
            role: The name of the role with which the gateway invokes it; empty for none.
            paths: The resources besides the root.
            closed: What methods require, as arguments of `PutMethod`; `authorizer` has those of `CreateAuthorizer`.
            integration: Further arguments of `PutIntegration`.
        """
        gateway = self.account.client("apigateway")
        api: str = gateway.create_rest_api(name="hand made")["id"]
        self._apis.append(api)
        root = gateway.get_resources(restApiId=api)["items"][0]["id"]
        made = [gateway.create_resource(restApiId=api, parentId=root, pathPart=path)["id"] for path in paths]
        uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations"
        known = {"type": "AWS_PROXY", "integrationHttpMethod": "POST", "uri": uri} | integration
        if role:
            known["credentials"] = f"arn:aws:iam::{self.account.number}:role/{role}"
        given = dict(closed)
        if authorizer := given.pop("authorizer", None):
            credentials = {"authorizerCredentials": known.get("credentials", "")}
            given["authorizerId"] = gateway.create_authorizer(restApiId=api, **credentials, **authorizer)["id"]
        for resource in (root, *made):
            place = {"restApiId": api, "resourceId": resource, "httpMethod": "ANY"}
            gateway.put_method(**place, **given)
            gateway.put_integration(**place, **known)
        gateway.create_deployment(restApiId=api, stageName="dev")
        return Api(api, f"https://{api}.execute-api.us-east-1.amazonaws.com/dev")

    def patch(self, api: Api, *operations: tuple[str, str, str]) -> None:
        """Change an API by patch operations (operation, path, value), and deploy it."""
        gateway = self.account.client("apigateway")
        patches = [{"op": op, "path": path, "value": value} for op, path, value in operations]
        gateway.update_rest_api(restApiId=api.id, patchOperations=patches)
        gateway.create_deployment(restApiId=api.id, stageName="dev")

    def delete(self) -> None:
        """Delete everything that was created."""
        iam, functions, logs = (self.account.client(name) for name in ("iam", "lambda", "logs"))
        for api in self._apis:
            self.account.client("apigateway").delete_rest_api(restApiId=api)
        for name in self._functions:
            functions.delete_function(FunctionName=name)
            iam.delete_role_policy(RoleName=name, PolicyName="own")
            iam.delete_role(RoleName=name)
            if self.account.logs(name):
                logs.delete_log_group(logGroupName=f"/aws/lambda/{name}")
