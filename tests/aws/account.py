"""An emulated AWS account: the real `zappa` deploys to it, and it really executes what is uploaded.

    account.run(folder, "zappa", "deploy", "dev")
    account.curl("https://….execute-api.us-east-1.amazonaws.com/dev/quote")

Moto stands in for AWS's APIs (endpoint.py, and gaps.py for what it lacks), processes of AWS's own runtime client for
Lambda (functions.py, containers.py), and a proxy for API Gateway (gateway.py).
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import boto3
from moto.core import DEFAULT_ACCOUNT_ID
from moto.events.models import events_backends

from tests.aws.apis import Apis
from tests.aws.calls import Call
from tests.aws.endpoint import OWN_KEY, Endpoint, Interference, answered
from tests.aws.functions import Functions
from tests.aws.gaps import Gaps
from tests.aws.gateway import Gateway
from tests.aws.left_behind import left_behind
from tests.aws.permissions import lets_in
from tests.aws.roles import DEPLOYER, Credentials, Roles
from tests.aws.state import State

REGION = "us-east-1"
PATIENCE = 300  # seconds, for one command


class Account:
    """An emulated account, empty at first. Its creator has to close it.

    Accounts can be nested: the outer one is suspended until the inner one is closed.

    Attributes:
        number: The account's number.
        region: The default region of `client`.
        functions: Its Lambda functions.
        environ: The environment in which a deployer's program finds this account and nothing else.
        phones: The texts that arrived.
        home: The deployer's home directory.
    """

    def __init__(self) -> None:
        self.number: str = DEFAULT_ACCOUNT_ID
        self.region = REGION
        self._folder = Path(tempfile.mkdtemp(prefix="aws-"))
        self.home = self._folder / "home"
        self.home.mkdir()
        self._state = State()
        self._gaps = Gaps()
        self.phones = self._gaps.phones
        roles = Roles(self.number)
        self.functions = Functions(self.number, self._folder, roles, self._send_dead_letter)
        self._gaps.deliver = self.functions.send
        self._endpoint = Endpoint(self.number, self.functions, roles)
        self.functions.endpoint = self._endpoint.url
        self._gateway = Gateway(self.number, self.functions, roles, self._endpoint.packages, self._folder)
        self.roles = roles
        self._session = boto3.Session()
        self._clients: dict[tuple[str, str], Any] = {}
        self.environ = self._environ()

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Stop everything and remove its files."""
        self._gateway.close()
        self.functions.close()
        self._endpoint.close()
        self._gaps.close()
        self._state.close()
        shutil.rmtree(self._folder)

    def client(self, service: str, region: str = REGION) -> Any:
        """Return a boto3 client whose calls are not recorded in `calls`."""
        if (service, region) not in self._clients:
            self._clients[service, region] = self._client(service, Credentials(OWN_KEY, "secret", ""), region)
        return self._clients[service, region]

    def run(self, folder: Path, *command: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        """Run a program as the deployer, and return its result without checking the exit status.

        Args:
            folder: The working directory.
            command: Such as "zappa", "deploy", "dev".
            environ: Variables to add to `self.environ`.
        """
        return subprocess.run(
            command,
            cwd=folder,
            env=self.environ | environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def curl(self, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
        """Run curl, which reaches the account's APIs and custom domains as if they were on the internet."""
        command = ["curl", "--silent", "--show-error", "--suppress-connect-headers", *arguments]
        return subprocess.run(command, env=self.environ, capture_output=True, timeout=PATIENCE, check=False)

    @property
    def apis(self) -> Apis:
        """Return the account's REST APIs."""
        return self._gateway.apis

    @property
    def calls(self) -> list[Call]:
        """Return the API calls so far, by the deployer and by functions."""
        return self._endpoint.calls.copy()

    def calls_of(self, function: str) -> list[Call]:
        """Return the API calls so far with the credentials of a function's role."""
        key = self.roles.credentials(self.functions.named(self.arn(function)).role).access_key_id
        return [call for call in self._endpoint.calls if call.access_key_id == key]

    def arn(self, function: str) -> str:
        """Return the ARN of a function of this account, `name` or `name:version`."""
        return f"arn:aws:lambda:{self.region}:{self.number}:function:{function}"

    def logs(self, function: str) -> list[str]:
        """Return the lines of a function's log, in the order they were written."""
        logs, group = self.client("logs"), f"/aws/lambda/{function}"
        try:
            pages = list(logs.get_paginator("filter_log_events").paginate(logGroupName=group))
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for page in pages for event in page["events"]]

    def fire(self, rule: str, times: int = 1) -> None:
        """Trigger a scheduled rule (AWS, "EventBridge rules that run on a schedule").

        Args:
            rule: The rule's name.
            times: How often its event is delivered; EventBridge guarantees at least once.

        Raises:
            PermissionError: A target's policy does not allow the rule to invoke it.
        """
        found = events_backends[self.number][self.region].describe_rule(rule, None)
        if found.state != "ENABLED":
            return
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": self.number,
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": self.region,
            "resources": [found.arn],
            "detail": {},
        }
        for target in found.targets:
            function = self.functions.named(target["Arn"])
            policy = {"Statement": function.policy.statements}
            arn = function.function_arn
            if not lets_in(policy, "events.amazonaws.com", found.arn, "lambda:InvokeFunction", arn):
                raise PermissionError(f"{arn} does not let {found.arn} invoke it")
            for _ in range(times):
                self.functions.send(target["Arn"], target.get("Input", json.dumps(event)).encode())

    @contextlib.contextmanager
    def interference(self, what: Interference) -> Iterator[None]:
        """Intercept API calls within a block.

        Args:
            what: Gets each call and a function that answers it, and returns the answer.
        """
        self._endpoint.interference = what
        try:
            yield
        finally:
            self._endpoint.interference = answered

    def left_behind(self) -> list[str]:
        """Return the ARN, or kind and name, of everything that exists in the account."""
        return left_behind(self)

    def _environ(self) -> dict[str, str]:
        venv = Path(sys.prefix)
        bundle = str(self._gateway.certificates)
        return {
            "AWS_ACCESS_KEY_ID": DEPLOYER.access_key_id,
            "AWS_SECRET_ACCESS_KEY": DEPLOYER.secret_access_key,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": self._endpoint.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": str(self.home / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.home / "credentials"),
            "HTTPS_PROXY": self._gateway.url,
            "NO_PROXY": "127.0.0.1,localhost",
            **dict.fromkeys(("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), bundle),
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "PATH": os.pathsep.join((str(venv / "bin"), os.environ["PATH"])),
            "VIRTUAL_ENV": str(venv),
        }

    def _client(self, service: str, credentials: Credentials, region: str = REGION) -> Any:
        return self._session.client(
            service,
            region,
            endpoint_url=self._endpoint.url,
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            aws_session_token=credentials.session_token or None,
        )

    def _send_dead_letter(
        self, credentials: Credentials, target: str, message: str, attributes: dict[str, str]
    ) -> None:
        """Send an event that a function failed to handle to a topic or queue, with the function's permissions."""
        service, region, name = target.split(":")[2], target.split(":")[3], target.rpartition(":")[2]
        given = {key: {"DataType": "String", "StringValue": value} for key, value in attributes.items()}
        client = self._client(service, credentials, region)
        if service == "sns":
            client.publish(TopicArn=target, Message=message, MessageAttributes=given)
        else:
            url = f"{self._endpoint.url}/{self.number}/{name}"
            client.send_message(QueueUrl=url, MessageBody=message, MessageAttributes=given)
