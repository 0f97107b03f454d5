"""`make bench-cold`: cold starts of the packaged function, compared with a hello world as `zappa init` sets it up.

Both packages are built by the benchmark, and run by AWS's runtime client in the deployment tests' containers.
"""

import contextlib
import datetime as dt
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from bench import report
from bench.backends import moto_s3
from bench.report import ms, table
from bench.servers import ROOT, BenchError
from tests.aws.containers import Configuration, Container, runtime_folder

ROUNDS, WARM = 21, 200  # cold starts of each case; invocations of a warm instance
PACKAGES = ("falcon", "zappa", "apig-wsgi", "awslambdaric", "boto3", "peewee", "moto")
SECTION = "## Cold starts"
REPORT = ROOT / "docs" / "benchmarks.md"

HELLO = """\
import falcon


class Hello:
    def on_get(self, req, resp):
        resp.media = {"hello": "world"}


app = falcon.App()
app.add_route("/", Hello())
"""
# What `zappa init` writes, but without looking for wheels: those installed are Linux's already.
INIT = {
    "app_function": "app.app",
    "aws_region": "us-east-1",
    "exclude": ["boto3", "dateutil", "botocore", "s3transfer", "concurrent"],
    "project_name": "hello",
    "runtime": "python{}.{}".format(*sys.version_info),
    "s3_bucket": "zappa-hello",
    "use_precompiled_packages": False,
}
FULL_CPU = 1769  # MB for which Lambda gives one whole core (AWS, "Configure Lambda function memory")
GB_SECOND = 0.0000166667  # US dollars
MEMORIES = (128, 256, 512, 1024, 1769)  # MB
CGROUP = Path("/sys/fs/cgroup/cpu")
PERIOD = 20_000  # microseconds of Lambda's scheduler

METHOD = f"""\
A cold start lasts from the start of the process to the answer: Python, AWS's runtime client, importing the function,
one request. The folder is read-only, as on Lambda, so no bytecode is written. In each of {ROUNDS} rounds every case
has one cold start, in turn; ratios are computed within a round, and given as median, lowest and highest. The hello
world is a Falcon application with the settings of `zappa init`, in an environment with only Falcon and Zappa,
packaged by `zappa package`. Ours is the stage `dev`, which also reads its remote environment from S3, and for the
day's quote the state. S3 is moto's server on the loopback interface; **a real S3 adds its latency and TLS.** A warm
invocation is one of {WARM} in a row, in one container."""

MEMORY_METHOD = """\
Lambda gives a function a share of a core in proportion to its memory; here containers get that share as a cgroup's
quota. Five cold starts each, of the day's quote. The memory held is the process's peak. The prices are those of the
billed time, as measured here."""


class Case(NamedTuple):
    """A measured case."""

    text: str
    configuration: Configuration
    event: bytes


class Figures(NamedTuple):
    """Seconds of a case: cold starts by round, and warm invocations."""

    cold: list[float]
    warm: list[float]


def main() -> int:
    """Measure, and replace the section of the report."""
    begun, load = dt.datetime.now(dt.UTC), os.getloadavg()[0]
    try:
        with tempfile.TemporaryDirectory(prefix="quotes-bench-") as folder:
            parts = measure(Path(folder))
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    section = report.section(SECTION, report.machine(begun, load, PACKAGES), *parts)
    print(section)
    REPORT.write_text(report.replaced(REPORT.read_text(), section))
    return 0


def measure(folder: Path) -> list[str]:
    """Return the results as Markdown."""
    hello, ours = unpacked(hello_package(folder / "hello")), unpacked(our_package(folder / "ours"))
    runtime = runtime_folder(folder / "runtime")
    stage = json.loads((ROOT / "zappa_settings.json").read_text())["dev"]
    with moto_s3() as s3:
        s3.create_bucket(Bucket=stage["s3_bucket"])
        s3.put_object(Bucket=stage["s3_bucket"], Key="dev/environment.json", Body=b"{}")
        role = {name: os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL")}
        environ = role | {"AWS_SESSION_TOKEN": "session"} | stage["aws_environment_variables"]
        function = Configuration(ours, stage["lambda_handler"], environ)
        zappas = Configuration(ours, "handler.lambda_handler", environ)
        cases = {
            "hello": Case("Falcon hello world", Configuration(hello, "handler.lambda_handler", environ), event("/")),
            "random": Case("ours, a random quote", function, event("/quote", type="random")),
            "daily": Case("ours, the day's quote, state on S3", function, event("/quote", type="daily")),
            "zappas": Case("the latter through Zappa's own handler", zappas, event("/quote", type="daily")),
        }
        start(cases["daily"], runtime).close()  # records the day
        figures = {name: Figures([], []) for name in cases}
        for number in range(ROUNDS):
            for name, case in cases.items():
                container = start(case, runtime, figures[name].cold)
                if number == 0:
                    figures[name].warm.extend(took(container, case) for _ in range(WARM))
                container.close()
                print(f"round {number + 1}: {figures[name].cold[-1] * 1000:6.1f} ms  {case.text}", file=sys.stderr)
        return [METHOD, targets(figures), rows(cases, figures), "### Memory", *memories(cases["daily"], runtime)]


def start(case: Case, runtime: Path, times: list[float] | None = None) -> Container:
    """Start a container, let it answer once, and append the seconds to `times`."""
    container = Container(case.configuration, runtime)
    outcome = container.invoke(case.event)
    answer = json.loads(outcome.payload)
    if outcome.failed or answer.get("statusCode") != 200:
        container.close()
        raise BenchError(f"{case.text}: {outcome.payload[:500]!r} {outcome.lines}")
    if times is not None:
        times.append(outcome.since_start)
    return container


def took(container: Container, case: Case) -> float:
    """Invoke a warm container; return the seconds."""
    begun = time.perf_counter()
    container.invoke(case.event)
    return time.perf_counter() - begun


def targets(figures: dict[str, Figures]) -> str:
    """Return the table of targets."""
    found = []
    for text, one, kind, most in (
        ("a random quote, cold: at most 0.5 times the hello world", "random", "cold", 0.5),
        ("the day's quote with state on S3, cold: at most 0.8 times", "daily", "cold", 0.8),
        ("the day's quote, warm: at most 1.0 times", "daily", "warm", 1.0),
    ):
        pairs = zip(getattr(figures[one], kind), getattr(figures["hello"], kind), strict=True)
        ratios = [ours / theirs for ours, theirs in pairs]
        met = statistics.median(ratios) <= most
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        found.append((text, spread, "met" if met else "**not met**"))
    return table("target|measured|", found)


def rows(cases: dict[str, Case], figures: dict[str, Figures]) -> str:
    """Return the table of times."""
    found = []
    for name, case in cases.items():
        cold, warm = figures[name]
        span = f"{min(cold) * 1000:,.0f} to {max(cold) * 1000:,.0f}"
        found.append((case.text, ms(cold), span, ms(warm)))
    return table("|cold start, ms|lowest to highest|warm invocation, ms", found)


def memories(case: Case, runtime: Path) -> list[str]:
    """Return the table of starts and warm invocations by memory size."""
    group = CGROUP / f"quotes-bench-{os.getpid()}"
    try:
        group.mkdir()
    except OSError:
        return ["Not measured in this run: it needs root and a cgroup of the first version."]
    found = []
    for memory in MEMORIES:
        (group / "cpu.cfs_period_us").write_text(str(PERIOD))
        (group / "cpu.cfs_quota_us").write_text(str(max(1000, round(PERIOD * memory / FULL_CPU))))
        cold: list[float] = []
        warm: list[float] = []
        most = 0
        for _ in range(5):
            with this_thread_in(group):
                container = start(case, runtime, cold)
            warm.extend(took(container, case) for _ in range(40))
            most = max(most, peak(container))
            container.close()
        prices = [seconds * memory / 1024 * GB_SECOND for seconds in (billed(warm) * 1e6, billed(cold) * 1e3)]
        found.append((f"{memory} MB", ms(cold), ms(warm), f"{most / 1024:.0f} MB", *(f"${p:.4f}" for p in prices)))
    group.rmdir()
    return [
        MEMORY_METHOD,
        table("memory|cold start, ms|warm invocation, ms|held at most|a million warm|a thousand starts", found),
    ]


def billed(times: Sequence[float]) -> float:
    """Return the average billed seconds; Lambda rounds up to milliseconds."""
    return statistics.mean(math.ceil(seconds * 1000) for seconds in times) / 1000


@contextlib.contextmanager
def this_thread_in(group: Path) -> Iterator[None]:
    """Put this thread, and what it starts meanwhile, into a cgroup."""
    thread = str(threading.get_native_id())
    (group / "tasks").write_text(thread)
    try:
        yield
    finally:
        (CGROUP / "tasks").write_text(thread)


def peak(container: Container) -> int:
    """Return the peak memory of a container's process, in KiB."""
    status = Path(f"/proc/{container.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


def event(path: str, **query: str) -> bytes:
    """Return a request as API Gateway sends it."""
    headers = {
        "Accept": "*/*",
        "Host": "abcdef1234.execute-api.us-east-1.amazonaws.com",
        "User-Agent": "curl/8.5.0",
        "X-Forwarded-For": "203.0.113.7, 198.51.100.1",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
    }
    request: dict[str, Any] = {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": "GET",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": query or None,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} or None,
        "requestContext": {"stage": "dev", "identity": {"sourceIp": "203.0.113.7"}},
        "body": None,
        "isBase64Encoded": False,
    }
    return json.dumps(request).encode()


def our_package(folder: Path) -> Path:
    """Package the stage `dev`."""
    folder.mkdir()
    run([Path(sys.executable).with_name("zappa"), "package", "dev", "-o", folder / "package.zip"], ROOT, sys.prefix)
    return folder / "package.zip"


def hello_package(folder: Path) -> Path:
    """Package a hello world from its own environment."""
    folder.mkdir()
    (folder / "app.py").write_text(HELLO)
    (folder / "zappa_settings.json").write_text(json.dumps({"dev": INIT}))
    venv = folder / "venv"
    run([sys.executable, "-m", "venv", venv], folder)
    wanted = [f"{name}=={metadata.version(name)}" for name in ("falcon", "zappa", "boto3", "werkzeug")]
    run([venv / "bin" / "python", "-m", "pip", "install", "--quiet", *wanted], folder)
    run([venv / "bin" / "zappa", "package", "dev", "-o", "package.zip"], folder, str(venv))
    return folder / "package.zip"


def unpacked(package: Path) -> Path:
    """Unpack a package beside itself."""
    print(f"{package.parent.name}: {package.stat().st_size / 1e6:.1f} MB", file=sys.stderr)
    folder = package.parent / "task"
    zipfile.ZipFile(package).extractall(folder)
    return folder


def run(command: Sequence[str | Path], folder: Path, venv: str = "") -> None:
    """Run a command, and raise BenchError if it fails."""
    environ = os.environ | {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "VIRTUAL_ENV": venv}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{' '.join(map(str, command))}: {done.stderr[-2000:]}")


if __name__ == "__main__":
    sys.exit(main())
