"""The package that is uploaded: what the function imports and nothing else, and the same bytes for the same source.

Zappa packs the whole environment. `make_lean` keeps only what is listed here, and compiles it to bytecode that Python
does not check against its source. Zappa dates all zip entries 1980, so ordinary bytecode would count as stale, and
because Lambda's folder is read-only, each cold start would compile everything again. Native code is left out; every
library here works without it. So any machine makes the same package, given the same versions of Python and SQLite.

A stage that checks tokens with public keys (RS256, ES256) needs cryptography, 5 MB of native code. It is fetched as a
wheel for Lambda, in the version and with the hashes of `Pipfile.lock`, on any machine. No other stage ships it.
"""

import json
import os
import stat
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

ROOT = Path(__file__).parent.parent
TASK_ROOT = "/var/task"  # where Lambda unpacks the package

OURS = ("quotes/", "zappa_settings.py", "handler.py")
LIBRARIES = (
    "apig_wsgi/",
    "certifi/",
    "charset_normalizer/",
    "durationpy/",
    "falcon/",
    "idna/",
    "jinja2/",
    "jwt/",
    "markupsafe/",
    "peewee.py",
    "phonenumbers/",
    "playhouse/__init__.py",
    "playhouse/cockroachdb.py",
    "playhouse/db_url.py",
    "playhouse/fields.py",
    "playhouse/migrate.py",
    "playhouse/migrations.py",
    "playhouse/pool.py",
    "playhouse/postgres_ext.py",
    "pybreaker/",
    "pythonjsonlogger/",
    "requests/",
    "urllib3/",
    "werkzeug/",
    "zappa/",
)
UNUSED = (
    "charset_normalizer/cli/",
    "falcon/asgi/",
    "falcon/bench/",
    "falcon/cmd/",
    "falcon/inspect.py",
    "falcon/testing/",
    "jinja2/constants.py",
    "jinja2/ext.py",
    "jinja2/meta.py",
    "jinja2/nativetypes.py",
    "jinja2/sandbox.py",
    "jwt/help.py",
    "phonenumbers/shortdata/region_",  # short numbers, which nobody can subscribe
    "pythonjsonlogger/jsonlogger.py",
    "pythonjsonlogger/msgspec.py",
    "pythonjsonlogger/orjson.py",
    "quotes/__main__.py",
    "quotes/access_log.py",
    "quotes/importing/",
    "quotes/server.py",
    "quotes/slow_clients.py",
    "urllib3/contrib/emscripten/",
    "werkzeug/debug/",
    "werkzeug/middleware/",
    "werkzeug/routing/",
    "werkzeug/testapp.py",
    "zappa/cli.py",
    "zappa/core.py",
    "zappa/ext/",
    "zappa/letsencrypt.py",
)
DATA = (
    "certifi/cacert.pem",
    "quotes/data/*.sqlite3",
    "quotes/data/*.json",
    "quotes/representations/*.j2",
    "quotes/static/*",
    "swagger_ui/static/swagger-ui-bundle.js",
    "swagger_ui/static/swagger-ui.css",
)
NATIVE = ("cryptography", "cffi")
NATIVE_SHIPPED = ("cryptography/", "_cffi_backend.")  # cffi's Python code is only needed to compile extensions
# glibc 2.17 and later: every runtime of Lambda has that (PEP 599; Amazon Linux 2 has 2.26, Amazon Linux 2023 2.34).
PLATFORMS = {"x86_64": "manylinux2014_x86_64", "arm64": "manylinux2014_aarch64"}


def build_corpus() -> None:
    """Build the corpus from its text (`prebuild_script`)."""
    done = subprocess.run([sys.executable, "-m", "quotes.corpus_builder"], cwd=ROOT, check=False)
    if done.returncode:
        sys.exit("The corpus cannot be built, so nothing was packaged.")


def make_lean(cli: Any) -> None:
    """Replace the package that Zappa made with the lean one (`callbacks.zip`).

    Args:
        cli: Zappa's command line, with `zip_path`.
    """
    package = Path(cli.zip_path)
    with zipfile.ZipFile(package) as made:
        files = {name: made.read(name) for name in sorted(set(made.namelist())) if is_shipped(name)}
    files |= native_code(cli)
    package.write_bytes(b"")
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as lean:
        for name, content in sorted(with_bytecode(files).items()):
            entry = zipfile.ZipInfo(name)  # dated 1980
            entry.create_system, entry.external_attr = 3, (stat.S_IFREG | 0o644) << 16  # Unix, readable by everybody
            lean.writestr(entry, content, zipfile.ZIP_DEFLATED)


def native_code(cli: Any) -> dict[str, bytes]:
    """Return the files with native code that a stage needs, by their paths in the package.

    Args:
        cli: Zappa's command line, with the stage's settings loaded.
    """
    variables = cli.stage_config.get("aws_environment_variables", {}) | cli.stage_config.get(
        "environment_variables", {}
    )
    if variables.get("QUOTES_JWT_ALGORITHM") not in ("RS256", "ES256"):
        return {}
    with tempfile.TemporaryDirectory(prefix="quotes-native-") as folder:
        _fetch(Path(folder), PLATFORMS[cli.architecture])
        files = (path for path in Path(folder).rglob("*") if path.suffix in (".py", ".so"))
        found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    return {name: content for name, content in found.items() if name.startswith(NATIVE_SHIPPED)}


def locked_native_code() -> str:
    """Return pip requirements, with hashes, for the locked versions of the native libraries."""
    lock = json.loads((ROOT / "Pipfile.lock").read_text(encoding="utf-8"))
    locked = {name: entry for section in ("develop", "default") for name, entry in lock[section].items()}
    lines = (
        " ".join([name + locked[name]["version"], *(f"--hash={known}" for known in locked[name]["hashes"])])
        for name in NATIVE
    )
    return "".join(f"{line}\n" for line in lines)


def _fetch(folder: Path, platform: str) -> None:
    wanted = folder / "requirements.txt"
    wanted.write_text(locked_native_code(), encoding="utf-8")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--no-deps", "--require-hashes", "--only-binary=:all:", "--platform", platform]
    command += ["--target", str(folder), "--requirement", str(wanted)]
    if subprocess.run(command, check=False).returncode:  # noqa: S603
        sys.exit(f"cryptography could not be fetched for {platform}, so nothing was packaged.")


def is_shipped(name: str) -> bool:
    """Tell whether the function needs a file of Zappa's package.

    Args:
        name: Its path in the package.
    """
    if any(PurePosixPath(name).match(pattern) for pattern in DATA):
        return True
    return name.endswith(".py") and name.startswith(OURS + LIBRARIES) and not name.startswith(UNUSED)


def with_bytecode(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files with bytecode (unchecked, PEP 552): beside our own source, and instead of the libraries'.

    Tracebacks then show the lines of our code but only name those of a library; the package is a third smaller.

    Args:
        files: Contents by path.
    """
    with tempfile.TemporaryDirectory(prefix="quotes-package-") as folder:
        for name, content in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        libraries = {name for name in files if name.endswith(".py") and not name.startswith(OURS)}
        _compile(folder, libraries, "-b")  # where Python looks for a module without source (PEP 3147)
        _compile(folder, {name for name in files if name.startswith(OURS) and name.endswith(".py")})
        compiled = Path(folder).rglob("*.pyc")
        kept = {name: content for name, content in files.items() if name not in libraries}
        return kept | {path.relative_to(folder).as_posix(): path.read_bytes() for path in compiled}


def _compile(folder: str, names: set[str], *options: str) -> None:
    # A process of its own with a fixed hash seed: bytecode depends on the seed and on what was imported before.
    command = [sys.executable, "-S", "-m", "compileall", "-q", "-j", "1", "--invalidation-mode", "unchecked-hash"]
    paths = ["-s", folder, "-p", TASK_ROOT, "-i", "-", *options]
    environ = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": "0"}
    listed = "".join(f"{Path(folder, name)}\n" for name in sorted(names))
    subprocess.run(command + paths, env=environ, input=listed, text=True, check=True)  # noqa: S603
