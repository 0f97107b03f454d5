"""A container of a Lambda function: a process of AWS's own runtime client, in a file system like Lambda's.

The process sees the package at /var/task and AWS's libraries at /var/runtime, both read-only like everything else; a
/tmp of its own; and the environment variables that Lambda sets. It has no capabilities, so a file that only its owner
may read is unreadable, as on Lambda. Between invocations it is frozen, also as there.

    with Container(Configuration(code, "handler.lambda_handler", environ), runtime_folder(path)) as container:
        outcome = container.invoke(b"{}")  # a cold start, which took outcome.since_start
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path
from typing import IO, NamedTuple, Self

from tests.aws.runtime_api import RuntimeAPI

INIT_SECONDS = 10.0  # for the init phase, besides the function's time-out

DISTRIBUTIONS = (
    *("awslambdaric", "snapshot-restore-py", "simplejson"),
    *("boto3", "botocore", "s3transfer", "jmespath", "urllib3", "python-dateutil", "six"),
)

# Everything is assembled in /mnt, because the folders to bind may be below /tmp or /var themselves.
ENTER = """
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/task /mnt/runtime /mnt/lib /mnt/tmp
for folder in task runtime lib; do
    mount --bind "$1" "/mnt/$folder"
    mount -o remount,bind,ro "/mnt/$folder"
    shift
done
mount --bind "$1" /mnt/tmp
shift
mount --rbind /mnt /var
mount --bind /mnt/tmp /tmp
mount -o remount,bind,ro /
cd /var/task
unset OLDPWD
echo mounted
read -r _
exec setpriv --pdeathsig KILL --no-new-privs --bounding-set=-all --inh-caps=-all "$@" </dev/null >&2
"""


@dataclass(frozen=True)
class Configuration:
    """What a container runs.

    Attributes:
        code: The unpacked package.
        handler: The function in it, `module.name`.
        environ: The role's credentials and the function's variables.
        timeout: The most seconds that an invocation may take.
        memory: In MB; reported, not enforced.
    """

    code: Path
    handler: str
    environ: Mapping[str, str] = field(default_factory=dict)
    name: str = "function"
    version: str = "$LATEST"
    region: str = "us-east-1"
    timeout: float = 30
    memory: int = 512

    def environment(self, stream: str, runtime_api: str) -> dict[str, str]:
        """Return the configured variables and those that Lambda sets (AWS, "Using Lambda environment variables")."""
        return {
            "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin:/bin:/opt/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONPATH": "/var/runtime",
            "LAMBDA_TASK_ROOT": "/var/task",
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "_HANDLER": self.handler,
            "AWS_EXECUTION_ENV": "AWS_Lambda_python{}.{}".format(*sys.version_info),
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": self.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": stream,
            "AWS_LAMBDA_RUNTIME_API": runtime_api,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            **self.environ,
        }


class Outcome(NamedTuple):
    """The result of an invocation.

    Attributes:
        payload: What the function returned, or a description of its error, in JSON.
        failed: Whether it is an error.
        lines: What was logged meanwhile.
        since_start: Seconds from the start of the process to this answer.
    """

    payload: bytes
    failed: bool
    lines: list[str]
    since_start: float


class Container:
    """One process. Its creator has to close it; it also ends with the thread that created it.

    Args:
        configuration: What it runs.
        runtime: The folder that `runtime_folder` made.
        log: Called with the logged lines after each invocation.
    """

    def __init__(
        self, configuration: Configuration, runtime: Path, log: Callable[[list[str]], None] = lambda _: None
    ) -> None:
        self.configuration = configuration
        self.stream = time.strftime(f"%Y/%m/%d/[{configuration.version}]{uuid.uuid4().hex}", time.gmtime())
        self._log = log
        self._folder = Path(tempfile.mkdtemp(prefix="container-"))
        self.tmp = self._folder / "tmp"
        self.tmp.mkdir()
        self._output = (self._folder / "output").open("wb+", buffering=0)
        self._read_until = 0
        self._api = RuntimeAPI(at_rest=self._freeze, woken=self._wake)
        command = [sys._base_executable, "-S", "-m", "awslambdaric", configuration.handler]
        folders = [configuration.code, runtime, Path(distribution("boto3").locate_file("")), self.tmp]
        unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
        self._process = subprocess.Popen(
            [*unshare, "sh", "-c", ENTER, "sh", *folders, *command],
            env=configuration.environment(self.stream, self._api.address),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._output,
            start_new_session=True,
        )
        assert self._pipe(self._process.stdout).readline() == b"mounted\n", self._output_so_far()
        self._started = time.monotonic()
        self._pipe(self._process.stdin).write(b"\n")
        self._pipe(self._process.stdin).close()
        self._is_fresh = True

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    @property
    def pid(self) -> int:
        """Return the process's id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Tell whether the process is running."""
        return self._process.poll() is None

    def kill(self) -> None:
        """Kill the process (SIGKILL), whatever it does."""
        if self.alive:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """End the process and remove its files."""
        self.kill()
        self._api.close()
        self._pipe(self._process.stdout).close()
        self._output.close()
        shutil.rmtree(self._folder)

    def wait_until_ready(self) -> bool:
        """Wait for the end of the init phase; return whether it succeeded."""
        return self._await(self._api.ready, self._started + INIT_SECONDS + self.configuration.timeout)

    def invoke(self, event: bytes, arn: str = "", request_id: str = "") -> Outcome:
        """Let the function handle an event. After an error that ends the process, the container is not alive.

        Args:
            event: In JSON.
            arn: The ARN that was invoked.
            request_id: The invocation's, if it has one; a repeated invocation keeps it.
        """
        request_id = request_id or str(uuid.uuid4())
        is_ready = self.wait_until_ready()
        begun = time.monotonic()
        if is_ready:
            milliseconds = round((time.time() + self.configuration.timeout) * 1000)
            self._api.send(event, request_id, milliseconds, arn)
            self._await(self._api.answered, begun + self.configuration.timeout)
        failed, payload = self._ending(request_id)
        answered = time.monotonic()
        lines = self._lines(request_id, answered - begun)
        self._is_fresh = False
        self._log(lines)
        return Outcome(payload, failed, lines, answered - self._started)

    def _await(self, event: threading.Event, deadline: float) -> bool:
        """Wait until the event is set, the process has ended or the deadline has passed."""
        while self.alive and time.monotonic() < deadline:
            if event.wait(min(0.05, max(0.0, deadline - time.monotonic()))):
                return True
        return event.is_set()

    def _ending(self, request_id: str) -> tuple[bool, bytes]:
        if answer := self._api.take_answer():
            if answer.is_init_error:
                self.kill()
            return answer.is_error, answer.body
        if self.alive:
            error = "Sandbox.Timedout", f"Task timed out after {self.configuration.timeout:.2f} seconds"
        else:
            status = self._process.returncode
            how = f"signal: {signal.strsignal(-status)}".lower() if status < 0 else f"exit status {status}"
            error = "Runtime.ExitError", f"Runtime exited with error: {how}"
        self.kill()
        message = {"errorType": error[0], "errorMessage": f"RequestId: {request_id} Error: {error[1]}"}
        return True, json.dumps(message).encode()

    def _lines(self, request_id: str, seconds: float) -> list[str]:
        version, memory = self.configuration.version, self.configuration.memory
        report = f"REPORT RequestId: {request_id}\tDuration: {seconds * 1000:.2f} ms\tMemory Size: {memory} MB"
        if self._is_fresh and self._api.ready.is_set():
            report += f"\tInit Duration: {(self._api.ready_at - self._started) * 1000:.2f} ms"
        start, end = f"START RequestId: {request_id} Version: {version}", f"END RequestId: {request_id}"
        return [start, *self._output_so_far().splitlines(), end, report]

    def _output_so_far(self) -> str:
        output = os.pread(self._output.fileno(), 1 << 30, self._read_until)
        self._read_until += len(output)
        return output.decode(errors="replace")

    def _freeze(self) -> None:
        os.kill(self._process.pid, signal.SIGSTOP)

    def _wake(self) -> None:
        os.kill(self._process.pid, signal.SIGCONT)

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe
        return pipe


def runtime_folder(path: Path) -> Path:
    """Create the folder for /var/runtime, with nothing but Lambda's runtime client and boto3.

    Args:
        path: A folder that does not exist yet. Its links lead to where a container finds the packages.
    """
    path.mkdir()
    for name in DISTRIBUTIONS:
        for top in {file.parts[0] for file in distribution(name).files or ()}:
            if top not in ("..", "__pycache__") and not top.endswith(".dist-info"):
                (path / top).symlink_to(f"/var/lib/{top}")
    return path
