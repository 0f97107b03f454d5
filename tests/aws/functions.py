"""An account's Lambda functions: which container gets an event, retries and dead letters, and logs."""

import base64
import contextlib
import hashlib
import io
import json
import threading
import time
import uuid
import zipfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from botocore.exceptions import ClientError
from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import LambdaFunction, lambda_backends
from moto.logs.models import logs_backends

from tests.aws.containers import Configuration, Container, Outcome, runtime_folder
from tests.aws.roles import Roles

PATIENCE = 60.0  # seconds that asynchronous invocations may take
RETRIES = 2  # of a failed asynchronous invocation; Lambda waits minutes in between, we do not

Settings = tuple[str, str, str, int, int, str, str]


class Pool:
    """The containers of a function's version, for one configuration."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.all: list[Container] = []
        self.idle: list[Container] = []


class Functions:
    """Execute functions, with one container for each concurrent invocation.

    Args:
        account: The account's number.
        folder: Where packages are unpacked.
        roles: The account's roles.
        publish: Sends a dead letter, given the function's credentials, the target's ARN, the event and its attributes.

    Attributes:
        dead_letters: Where failed events go: the target's ARN by the function's.
        lost: Dead letters that could not be sent: the function's ARN, and why.
        endpoint: The URL of the emulated AWS.
        waiting: Called instead of waiting before a failed event is tried again.
    """

    def __init__(self, account: str, folder: Path, roles: Roles, publish: Callable[..., None]) -> None:
        self.dead_letters: dict[str, str] = {}
        self.lost: list[tuple[str, str]] = []
        self.endpoint = ""
        self.waiting: Callable[[], None] = lambda: None
        self._account = account
        self._folder = folder
        self._roles = roles
        self._publish = publish
        self._runtime = runtime_folder(folder / "runtime")
        self._lock = threading.Lock()
        self._pools: dict[str, Pool] = {}
        self._starter = ThreadPoolExecutor(
            1, thread_name_prefix="starter"
        )  # a container ends with the thread that started it
        self._threads = ThreadPoolExecutor(32, thread_name_prefix="event")
        self._events: set[Future[None]] = set()
        self._closing = False

    def named(self, arn: str) -> LambdaFunction:
        """Return a function.

        Args:
            arn: The function's ARN, perhaps with a version or an alias.

        Raises:
            UnknownFunctionException: There is no such function.
        """
        region, name, qualifier = (*arn.split(":"), None)[3:4] + ((*arn.split(":"), None))[6:8]
        backend = lambda_backends[self._account][region]
        found: LambdaFunction = backend.get_function(name, qualifier)
        return found

    def exists(self, arn: str) -> bool:
        """Tell whether there is such a function."""
        with contextlib.suppress(UnknownFunctionException):
            return bool(self.named(arn))
        return False

    def invoke(self, arn: str, payload: bytes, request_id: str = "") -> Outcome:
        """Invoke a function and wait for its answer.

        Args:
            arn: The function's.
            payload: The event, in JSON.
            request_id: The invocation's, if it has one already.
        """
        function = self.named(arn)
        container = self._taken(function)
        try:
            return container.invoke(payload, arn, request_id)
        finally:
            self._give_back(function, container)

    def send(self, arn: str, payload: bytes) -> str:
        """Invoke a function asynchronously, and return the request's id; `join` waits for it."""
        request_id = str(uuid.uuid4())
        with self._lock:
            self._events.add(self._threads.submit(self._handle, arn, payload, request_id))
        return request_id

    def start(self, arn: str, payload: bytes) -> Future[Outcome]:
        """Invoke a function, without waiting for its answer."""
        return self._threads.submit(self.invoke, arn, payload)

    def join(self) -> None:
        """Wait until all asynchronous invocations have ended, including those that they made themselves."""
        deadline = time.monotonic() + PATIENCE
        while events := self._events.copy():
            done, late = wait(events, deadline - time.monotonic())
            assert not late, f"{len(late)} asynchronous invocations have not ended within {PATIENCE} s"
            with self._lock:
                self._events -= done
            for event in done:
                event.result()

    def containers(self, arn: str) -> list[Container]:
        """Return a function's living containers; the one that has been idle longest is first."""
        with self._lock:
            pool = self._pools.get(self.named(arn).function_arn)
            return [container for container in pool.all if container.alive] if pool else []

    def scale(self, arn: str, count: int) -> list[Container]:
        """Replace a function's containers with this many fresh ones."""
        function = self.named(arn)
        self.discard(arn)
        started = [self._started(function) for _ in range(count)]
        with self._lock:
            pool = self._pool(function)
            pool.all += started
            pool.idle += started
        return started

    def discard(self, arn: str) -> None:
        """End a function's containers, busy ones when they are done, so that the next event is a cold start."""
        with self._lock:
            if pool := self._pools.get(self.named(arn).function_arn):
                self._end(pool)

    def forget(self, arn: str) -> None:
        """End the containers of a deleted function, of all versions."""
        self.dead_letters.pop(arn, None)
        with self._lock:
            for name in [name for name in self._pools if name == arn or name.startswith(f"{arn}:")]:
                self._end(self._pools.pop(name))

    def close(self) -> None:
        """End everything, including running invocations."""
        self._closing = True
        while containers := [each for pool in self._pools.values() for each in pool.all if each.alive]:
            for container in containers:
                container.kill()
        self._threads.shutdown(cancel_futures=True)
        self._starter.shutdown()
        for pool in self._pools.values():
            for container in pool.all:
                container.close()

    def _handle(self, arn: str, payload: bytes, request_id: str) -> None:
        """Handle an asynchronous event (AWS, "Error handling for asynchronous invocation")."""
        function = self.named(arn)
        retries = next((each.config.get("MaximumRetryAttempts") for each in function.event_invoke_config), None)
        for attempt in range(1 + (RETRIES if retries is None else retries)):
            if attempt:
                self.waiting()
            outcome = self.invoke(arn, payload, request_id)
            if not outcome.failed or self._closing:
                return
        if target := self.dead_letters.get(function.function_arn):
            message = json.loads(outcome.payload)["errorMessage"]
            attributes = {"RequestID": request_id, "ErrorCode": "200", "ErrorMessage": message[:1024]}
            try:
                self._publish(self._roles.credentials(function.role), target, payload.decode(), attributes)
            except ClientError as error:  # Lambda only counts these (DeadLetterErrors)
                self.lost.append((function.function_arn, str(error)))

    def _taken(self, function: LambdaFunction) -> Container:
        with self._lock:
            pool = self._pool(function)
            while pool.idle:
                container = pool.idle.pop(0)
                if container.alive:
                    return container
                self._remove(pool, container)
        container = self._started(function)
        with self._lock:
            self._pool(function).all.append(container)
        return container

    def _give_back(self, function: LambdaFunction, container: Container) -> None:
        with self._lock:
            pool = self._pools.get(function.function_arn)
            if not pool or container not in pool.all:
                container.close()
            elif container.alive:
                pool.idle.append(container)
            else:
                self._remove(pool, container)

    def _pool(self, function: LambdaFunction) -> Pool:
        """Return the pool of a version; end containers with other code or another configuration."""
        arn, settings = function.function_arn, self._settings(function)
        pool = self._pools.get(arn)
        if not pool or pool.settings != settings:
            if pool:
                self._end(pool)
            pool = self._pools[arn] = Pool(settings)
        return pool

    @staticmethod
    def _settings(function: LambdaFunction) -> Settings:
        variables = json.dumps(function.environment_vars, sort_keys=True)
        limits = int(function.timeout), int(function.memory_size)
        return function.code_sha_256, function.handler or "", variables, *limits, function.role, str(function.version)

    def _end(self, pool: Pool) -> None:
        for container in pool.idle.copy():
            self._remove(pool, container)
        pool.idle.clear()
        pool.all.clear()  # busy ones end when they are given back

    @staticmethod
    def _remove(pool: Pool, container: Container) -> None:
        pool.all.remove(container)
        container.close()

    def _started(self, function: LambdaFunction) -> Container:
        key = self._roles.credentials(function.role)
        credentials = {
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
            "AWS_SESSION_TOKEN": key.session_token,
        }
        configuration = Configuration(
            self._unpacked(function.code_bytes),
            function.handler or "",
            credentials | {"AWS_ENDPOINT_URL": self.endpoint} | function.environment_vars,
            function.function_name,
            version(function),
            function.region,
            function.timeout,
            function.memory_size,
        )

        def log(lines: list[str]) -> None:
            self._log(function, container.stream, lines)

        container = self._starter.submit(Container, configuration, self._runtime, log).result()
        return container

    def _unpacked(self, package: bytes) -> Path:
        """Return the folder of a package, where the owner may read only what others may, as on Lambda."""
        folder = self._folder / hashlib.sha256(package).hexdigest()
        with self._lock:
            if not folder.is_dir():
                _unpack(package, folder)
        return folder

    def _log(self, function: LambdaFunction, stream: str, lines: list[str]) -> None:
        """Write to the function's log group, if its role allows it."""
        group = f"/aws/lambda/{function.function_name}"
        place = f"arn:aws:logs:{function.region}:{self._account}:log-group:{group}"
        if not self._roles.allows(function.role, "logs:PutLogEvents", f"{place}:log-stream:{stream}"):
            return
        logs = logs_backends[self._account][function.region]
        with self._lock:
            logs.ensure_log_group(group)
            logs.ensure_log_stream(group, stream)
            now = int(time.time() * 1000)
            logs.put_log_events(group, stream, [{"timestamp": now, "message": line} for line in lines])


def _unpack(package: bytes, folder: Path) -> None:
    unfinished = folder.with_suffix(".unfinished")
    with zipfile.ZipFile(io.BytesIO(package)) as files:
        for entry in files.infolist():
            path = Path(files.extract(entry, unfinished))
            mode = entry.external_attr >> 16
            if path.is_file() and mode:
                path.chmod((mode & 0o7) * 0o111)
    unfinished.rename(folder)


def version(function: LambdaFunction) -> str:
    """Return a function's version in Lambda's notation."""
    return "$LATEST" if ":" not in function.function_arn.partition(":function:")[2] else str(function.version)


def tail(lines: list[str]) -> str:
    """Return the last 4 KB of a log in Base64, for `LogType=Tail`."""
    return base64.b64encode("\n".join(lines).encode()[-4096:]).decode()
