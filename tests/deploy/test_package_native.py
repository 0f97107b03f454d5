"""The package of a stage that checks tokens by public keys: the lean one, and cryptography for Lambda's platform."""

import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.deploy.test_package import clone, package_of
from tests.test_authorizer import OTHER_RSA, RSA, event, policy, private, public, token

LARGEST = 10 * 1024 * 1024  # bytes
STAGES = {
    "rs256": {"extends": "dev", "aws_environment_variables": {"QUOTES_JWT_ALGORITHM": "RS256"}},
    "es256": {"extends": "dev", "environment_variables": {"QUOTES_JWT_ALGORITHM": "ES256"}, "architecture": "arm64"},
    "hs256": {"extends": "dev", "aws_environment_variables": {"QUOTES_JWT_ALGORITHM": "HS256"}},
}
ASKING = """
import json, sys

sys.path[:0] = [sys.argv[1]]
from quotes.authorizer import authorize
from quotes.errors import Unauthorized

for event in json.loads(sys.argv[2]):
    try:
        print(json.dumps(authorize(event, None)))
    except Unauthorized as error:
        print(json.dumps(str(error)))
print(json.dumps(sys.modules["cryptography"].__file__.startswith(sys.argv[1])))
"""


def wheel(name: str, platform: str, folder: Path) -> tuple[str, str]:
    """Make a wheel of what is installed here, as it were for a platform; return its version and its hash."""
    found = importlib.metadata.distribution(name)
    made = folder / f"{name}-{found.version}-cp311-abi3-{platform}.whl"
    info = f"{name}-{found.version}.dist-info"
    with zipfile.ZipFile(made, "w") as archive:
        for file in found.files or []:
            if ".." not in file.parts and file.suffix in (".py", ".so", ".pyi", ".typed"):
                archive.write(str(file.locate()), str(file))
        tag = f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: false\nTag: cp311-abi3-{platform}\n"
        listed = [f"{member},," for member in archive.namelist()]
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {found.version}\n")
        archive.writestr(f"{info}/WHEEL", tag)
        archive.writestr(f"{info}/RECORD", "\n".join(listed))
    return f"=={found.version}", f"sha256:{hashlib.sha256(made.read_bytes()).hexdigest()}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clone with stages for public keys, and a lock file of wheels that lie in a folder on this machine."""
    folder = tmp_path_factory.mktemp("clone")
    clone(folder)
    stages = json.loads((folder / "zappa_settings.json").read_text())
    (folder / "zappa_settings.json").write_text(json.dumps(stages | STAGES))
    (folder / "wheels").mkdir()
    lock = json.loads((folder / "Pipfile.lock").read_text())
    for name in ("cryptography", "cffi"):
        section = "default" if name in lock["default"] else "develop"
        version, known = wheel(name, "manylinux2014_x86_64", folder / "wheels")
        lock[section][name] |= {"version": version, "hashes": [known]}
    (folder / "Pipfile.lock").write_text(json.dumps(lock))
    return folder


def package(folder: Path, stage: str) -> zipfile.ZipFile:
    environ = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder / "wheels"), "PIP_CONFIG_FILE": os.devnull}
    return zipfile.ZipFile(package_of(folder, stage, **environ))


def test_a_stage_with_rs256_checks_tokens_by_what_is_in_its_package_alone(folder: Path, tmp_path: Path):
    with package(folder, "rs256") as made:
        made.extractall(tmp_path)
        names = {name for name in made.namelist() if name.startswith(("crypto", "_cffi", "cffi"))}
        size = Path(str(made.filename)).stat().st_size
    events = [event(f"Bearer {token(private(key), 'RS256')}") for key in (RSA, OTHER_RSA)]
    environ = {"QUOTES_JWT_ALGORITHM": "RS256", "QUOTES_JWT_KEY": public(RSA)}
    python = [sys._base_executable, "-S", "-B", "-c", ASKING, str(tmp_path), json.dumps(events)]

    asked = subprocess.run(python, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert asked.stderr == ""
    assert [json.loads(line) for line in asked.stdout.splitlines()] == [policy(), "Unauthorized", True]
    assert {name for name in names if not name.endswith(".pyc")} == {
        "cryptography/hazmat/bindings/_rust.abi3.so",
        *(name for name in names if name.startswith("_cffi_backend.") and name.endswith(".so")),
    }
    assert size <= LARGEST


def test_with_a_secret_the_package_stays_lean(folder: Path):
    with package(folder, "hs256") as made:
        assert [name for name in made.namelist() if name.endswith(".so") or "crypto" in name] == []


def test_what_is_not_there_for_the_platform_is_not_packaged(folder: Path):
    with pytest.raises(subprocess.CalledProcessError) as ended:
        package(folder, "es256")

    told = ended.value.stderr.decode()
    assert told.endswith("cryptography could not be fetched for manylinux2014_aarch64, so nothing was packaged.\n")
    assert "No matching distribution found for cryptography" in told
