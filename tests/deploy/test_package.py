"""The package that `zappa package` makes: what the function imports, nothing else, the same bytes each time."""

import importlib.util
import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from deploy.package import DATA, LIBRARIES, OURS, is_shipped
from deploy.stage import SETTINGS
from tests.secrets import secrets_in

ROOT = SETTINGS.parent
BUILDER = "ferdinand"
LARGEST = 4 * 1024 * 1024  # bytes
NOT_SHIPPED = (
    "boto3",
    "botocore",
    "gunicorn",
    "tests",
    "docs",
    "bench",
    "deploy",
    "moto",
    "pytest",
    "ruff",
    ".git",
    "pip",
)


def packaged(folder: Path, **environ: str) -> Path:
    """Make the package from a clone of the project in a folder of its own, as somebody who deploys does."""
    clone(folder)
    return package_of(folder, "dev", **environ)


def clone(folder: Path) -> None:
    """Put into a folder what a clone of the project has, and what it should not give away."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, tracked.decode().split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    (folder / "deploy" / "environment.dev.json").write_text('{"X_Mashape_Key": "a-secret-of-mine"}')
    (folder / "quotes.db").write_bytes(b"days of a laptop")


def package_of(folder: Path, stage: str, **environ: str) -> Path:
    """Have Zappa make the package of a stage."""
    bin_folder = Path(sys.executable).parent
    environ = {
        "HOME": str(folder),
        "LOGNAME": BUILDER,
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "VIRTUAL_ENV": sys.prefix,
        "AWS_ACCESS_KEY_ID": "AKIAOFALAPTOP",
        "AWS_SECRET_ACCESS_KEY": "secret-of-a-laptop",
    } | environ
    command = [bin_folder / "zappa", "package", stage, "-o", "lean.zip"]
    subprocess.run(command, cwd=folder, env=environ, check=True, capture_output=True)
    return folder / "lean.zip"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packaged(tmp_path_factory.mktemp("one"))


def test_two_builds_are_the_same_bytes(package: Path, tmp_path: Path):
    other = packaged(tmp_path, TZ="Asia/Kolkata", LC_ALL="C", PYTHONHASHSEED="7", LOGNAME="somebody-else")

    assert other.read_bytes() == package.read_bytes()


def test_it_is_small(package: Path):
    assert package.stat().st_size <= LARGEST


def test_it_holds_our_code_the_corpus_and_the_libraries_alone(package: Path):
    names = zipfile.ZipFile(package).namelist()
    tops = {name.split("/")[0] for name in names}

    expected = {name.split("/")[0].replace("peewee.py", "peewee.pyc") for name in OURS + LIBRARIES + DATA}
    assert tops == expected | {"__pycache__"}
    others = {name for name in names if not name.endswith((".py", ".pyc"))}
    assert {pattern for pattern in DATA if not any(PurePosixPath(name).match(pattern) for name in others)} == set()
    assert {"quotes/data/corpus.sqlite3", "quotes/static/page.js", "swagger_ui/static/swagger-ui-bundle.js"} <= others
    assert "quotes/data/corpus.jsonl" not in others
    assert not [name for name in names if set(name.split("/")) & set(NOT_SHIPPED)]


def test_it_tells_nothing_of_who_made_it_and_no_secret(package: Path):
    told = (
        BUILDER,
        str(ROOT),
        str(package.parent),
        sys.prefix,
        "a-secret-of-mine",
        "secret-of-a-laptop",
        "AKIAOFALAPTOP",
    )
    with zipfile.ZipFile(package) as lean:
        contents = {name: lean.read(name) for name in lean.namelist()}

    assert {(name, word) for name, body in contents.items() for word in told if word.encode() in body} == set()
    ours = {name: body.decode("utf-8", "replace") for name, body in contents.items() if name.startswith(OURS)}
    assert ours
    assert {name: found for name, text in ours.items() if (found := secrets_in(text))} == {}


def test_everybody_may_read_each_file_and_nothing_is_dated(package: Path):
    for entry in zipfile.ZipFile(package).infolist():
        assert stat.filemode(entry.external_attr >> 16) == "-rw-r--r--"
        assert entry.date_time == (1980, 1, 1, 0, 0, 0)


def test_our_modules_have_source_and_bytecode_and_the_libraries_bytecode_that_python_takes_as_it_is(package: Path):
    with zipfile.ZipFile(package) as lean:
        names = set(lean.namelist())
        sources = {name for name in names if name.endswith(".py")}
        assert {name for name in sources if not name.startswith(OURS)} == set()
        assert len(sources) > 30
        beside = {importlib.util.cache_from_source(name): name for name in sources}
        assert {name for name in names if name.endswith(".pyc") and name.startswith(OURS)} <= beside.keys()
        for name in names:
            if name.endswith(".pyc"):
                bytecode = lean.read(name)
                assert bytecode[:4] == importlib.util.MAGIC_NUMBER
                assert int.from_bytes(bytecode[4:8], "little") == 0b01  # by hash, unchecked (PEP 552)
        for bytecode_name, name in beside.items():
            assert lean.read(bytecode_name)[8:16] == importlib.util.source_hash(lean.read(name))
    assert len(names) == len(zipfile.ZipFile(package).namelist())


IMPORTING = """
import importlib, json, pathlib, sys

task, runtime = sys.argv[1:]
sys.path[:0] = [task]
sys.path.append(runtime)
from quotes import lambda_handler
import boto3, zappa.handler
from playhouse import cockroachdb, db_url, migrations, pool
import jwt, phonenumbers
from quotes import authorizer
from quotes import mashape, notify, phone, sns, subscriptions, tasks, s3_database, schedulers, server_database
from quotes import transport

lambda_handler.lambda_handler({"httpMethod": "GET", "path": "/daily", "headers": None}, None)
lambda_handler.lambda_handler({"httpMethod": "GET", "path": "/", "headers": {"Accept": "text/html"}}, None)
zappa.handler.lambda_handler({"httpMethod": "GET", "path": "/", "headers": {}}, None)
mashape.Mashape("http://127.0.0.1:9/", "").random()
files = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
names = [name.removesuffix("c") if name.endswith(".pyc") else name for name in files]  # a library's: without source
print(json.dumps([str(pathlib.Path(name).relative_to(task)) for name in names if name.startswith(task)]))
"""


def test_the_function_imports_what_is_shipped_and_needs_no_more(package: Path, tmp_path: Path):
    task, runtime = tmp_path / "task", tmp_path / "runtime"
    zipfile.ZipFile(package).extractall(task)
    (task / "zappa_settings.py").write_text((task / "zappa_settings.py").read_text().replace("REMOTE_ENV", "_UNUSED"))
    shutil.rmtree(task / "__pycache__")
    runtime.mkdir()
    for name in ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six"):  # which Lambda has
        spec = importlib.util.find_spec(name)
        assert spec
        assert spec.origin
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        (runtime / source.name).symlink_to(source)
    environ = {"PATH": os.environ["PATH"], "AWS_LAMBDA_FUNCTION_NAME": "quotes-dev", "AWS_DEFAULT_REGION": "us-east-1"}
    environ["DATABASE_URL"] = f"sqlite:///{tmp_path}/quotes.db"
    python = [sys._base_executable, "-S", "-B", "-c", IMPORTING, str(task), str(runtime)]

    ended = subprocess.run(python, cwd=task, env=environ, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr
    imported = set(json.loads(ended.stdout.splitlines()[-1]))
    unused = {name for name in LIBRARIES if not any(found.startswith(name) for found in imported)}
    assert unused == set()
    assert {"quotes/s3_get.py", "zappa/handler.py", "certifi/__init__.py"} <= imported


@pytest.mark.parametrize(
    ("name", "shipped"),
    [
        ("quotes/resources.py", True),
        ("quotes/data/corpus.sqlite3", True),
        ("quotes/data/corpus.jsonl", False),
        ("quotes/static/style.css", True),
        ("quotes/representations/page.html.j2", True),
        ("jinja2/environment.py", True),
        ("jinja2/sandbox.py", False),
        ("quotes/__pycache__/resources.cpython-311.pyc", False),
        ("falcon/cyutil/uri.cpython-311-x86_64-linux-gnu.so", False),
        ("falcon/testing/client.py", False),
        ("boto3/__init__.py", False),
        ("package_info.json", False),
        ("zappa_settings.json", False),
        ("zappa_settings.py", True),
        ("quotes.db", False),
    ],
)
def test_what_is_shipped(name: str, shipped: bool):
    assert is_shipped(name) is shipped
