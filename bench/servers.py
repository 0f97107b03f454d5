"""Start servers on free loopback ports, wait until they answer, measure them with wrk, and stop them."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
CONNECTIONS = 16
STARTS_WITHIN = 30.0  # seconds

SERVERS = {
    "gunicorn sync": "gunicorn --bind {address} --workers 1 --worker-class sync --no-control-socket "
    "--log-level warning {app}",
    "granian": "granian --host {host} --port {port} --interface wsgi --workers 1 --log-level error {app}",
}

WRK_MISSING = """\
make bench measures with wrk, which is not on the PATH. To get it:
  Debian, Ubuntu   sudo apt install wrk
  Fedora           sudo dnf install wrk
  macOS            brew install wrk
  elsewhere        https://github.com/wg/wrk (git clone, make)"""


class BenchError(Exception):
    """Something that the benchmark needs does not work."""


@contextlib.contextmanager
def running(server: str, app: str, path: str, folder: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """Serve an application with one worker, until the block ends.

    Args:
        server: A key of `SERVERS`.
        app: `module:name`.
        path: The path that must answer 200 before the block begins.
        folder: The working directory, for logs and databases.
        environ: The application's whole environment, except PATH.

    Yields:
        The address, `http://127.0.0.1:port`.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host, port = probe.getsockname()
    command = SERVERS[server].format(address=f"{host}:{port}", host=host, port=port, app=app).split()
    log = folder / f"{server}-{port}.log".replace(" ", "-")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for(f"http://{host}:{port}{path}", process, log)
        yield f"http://{host}:{port}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            get(url)
            return
        time.sleep(0.05)
    raise BenchError(f"No 200 from {url} ({' '.join(map(str, process.args))}):\n{log.read_text()[-2000:]}")


def get(url: str) -> bytes:
    """Return the body of a 200 answer; raise OSError for any other."""
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read()


def requests_per_second(url: str, seconds: int) -> float:
    """Measure with wrk: one thread, `CONNECTIONS` connections; every answer must be a 2xx or 3xx."""
    command = ["wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s", url]
    report = subprocess.run(command, capture_output=True, text=True, check=False)
    rate = re.search(r"Requests/sec:\s*([\d.]+)", report.stdout)
    if report.returncode or not rate or not float(rate[1]) or "Non-2xx" in report.stdout:
        raise BenchError(f"wrk found errors at {url}:\n{report.stdout}{report.stderr}")
    return float(rate[1])


def wrk_version() -> str:
    """Return wrk's version; raise BenchError, with how to get it, if it is missing."""
    if not shutil.which("wrk"):
        raise BenchError(WRK_MISSING)
    report = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False)
    return " ".join(report.stdout.split()[:2])
