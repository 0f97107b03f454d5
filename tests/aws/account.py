"""An AWS account on this machine, to which the real `zappa` deploys and in which what it uploads is really executed.

    account.run(folder, "zappa", "deploy", "dev")
    account.curl("https://….execute-api.us-east-1.amazonaws.com/dev/quote")

Moto plays AWS's interfaces (endpoint.py, and gaps.py for what it does not do), processes of AWS's own runtime client
play Lambda (functions.py, containers.py), and a proxy plays API Gateway (gateway.py).
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
    """Be an account that is empty at first; whoever has made it closes it.

    There may be one within another: until it is closed, the other one rests.

    Attributes:
        number: The number of the account.
        region: Where `client` looks.
        functions: Its functions, executed.
        environ: What a program of the deployer's needs, to find this account and nothing else.
        phones: What texts arrived.
        home: The deployer's home.
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
        """End everything, and remove what it left on the disk."""
        self._gateway.close()
        self.functions.close()
        self._endpoint.close()
        self._gaps.close()
        self._state.close()
        shutil.rmtree(self._folder)

    def client(self, service: str, region: str = REGION) -> Any:
        """Return a client of boto3's, whose calls are not counted."""
        if (service, region) not in self._clients:
            self._clients[service, region] = self._client(service, Credentials(OWN_KEY, "secret", ""), region)
        return self._clients[service, region]

    def run(self, folder: Path, *command: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        """Run a deployer's program to its end, and return what came of it; `check_returncode` is left to the caller.

        Args:
            folder: Where.
            command: Such as "zappa", "deploy", "dev".
            environ: Variables besides `environ`.
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
        """Run curl, which finds the account's APIs and custom domains as if they were on the internet."""
        command = ["curl", "--silent", "--show-error", "--suppress-connect-headers", *arguments]
        return subprocess.run(command, env=self.environ, capture_output=True, timeout=PATIENCE, check=False)

    @property
    def apis(self) -> Apis:
        """Return its REST APIs."""
        return self._gateway.apis

    @property
    def calls(self) -> list[Call]:
        """Return the calls so far, deployer's and functions'."""
        return self._endpoint.calls.copy()

    def calls_of(self, function: str) -> list[Call]:
        """Return the calls so far that were made with the credentials of a function's role."""
        key = self.roles.credentials(self.functions.named(self.arn(function)).role).access_key_id
        return [call for call in self._endpoint.calls if call.access_key_id == key]

    def arn(self, function: str) -> str:
        """Return the ARN of a function of this account, `name` or `name:version`."""
        return f"arn:aws:lambda:{self.region}:{self.number}:function:{function}"

    def logs(self, function: str) -> list[str]:
        """Return the lines of a function's log, in the order in which they were written."""
        logs, group = self.client("logs"), f"/aws/lambda/{function}"
        try:
            pages = list(logs.get_paginator("filter_log_events").paginate(logGroupName=group))
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for page in pages for event in page["events"]]

    def fire(self, rule: str, times: int = 1) -> None:
        """Let a scheduled rule's time come (AWS, "EventBridge rules that run on a schedule").

        Args:
            rule: Its name.
            times: How often its event is delivered: at least once, says EventBridge.

        Raises:
            PermissionError: A target does not let the rule invoke it.
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
        """Let something happen to the calls of AWS's interfaces for a while.

        Args:
            what: Is given each call, and what answers it; returns the answer.
        """
        self._endpoint.interference = what
        try:
            yield
        finally:
            self._endpoint.interference = answered

    def left_behind(self) -> list[str]:
        """Return the ARN, or kind and name, of all that exists in the account."""
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
        """Send an event that a function could not handle to a topic or a queue, with the function's permissions."""
        service, region, name = target.split(":")[2], target.split(":")[3], target.rpartition(":")[2]
        given = {key: {"DataType": "String", "StringValue": value} for key, value in attributes.items()}
        client = self._client(service, credentials, region)
        if service == "sns":
            client.publish(TopicArn=target, Message=message, MessageAttributes=given)
        else:
            url = f"{self._endpoint.url}/{self.number}/{name}"
            client.send_message(QueueUrl=url, MessageBody=message, MessageAttributes=given)
