"""A folder of the test's own, with no setting and no library."""

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from quotes.settings import Settings


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Work in a folder of the test's own, without any setting."""
    for variable in [field.metadata.get("variable", "AWS_LAMBDA_FUNCTION_NAME") for field in fields(Settings)]:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def library(folder: Path) -> Callable[[], list[dict[str, Any]]]:
    """Return what reads the library's lines."""

    def read() -> list[dict[str, Any]]:
        return [json.loads(line) for line in (folder / "library.jsonl").read_text("utf-8").splitlines()]

    return read
