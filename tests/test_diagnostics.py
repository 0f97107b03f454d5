"""`/async-failure`: a task that fails on purpose, where the settings allow it."""

import logging
from collections.abc import Callable

import pytest
from falcon import testing

from quotes.resources import create_api
from quotes.service import Service
from quotes.settings import Settings
from tests.test_problems import problem
from tests.test_resources import EVERY_ANSWER


def ask(make_service: Callable[..., Service], method: str, settings: Settings) -> testing.Result:
    return testing.simulate_request(create_api(settings, make_service()), method, "/async-failure")


def test_on_a_laptop_the_task_fails_in_the_log_and_the_answer_is_the_same(
    make_service: Callable[..., Service], caplog: pytest.LogCaptureFixture
):
    answer = ask(make_service, "GET", Settings(diagnostics=True))

    assert (answer.status_code, answer.json) == (202, {"message": "Called async task"})
    assert dict(answer.headers) == EVERY_ANSWER | {
        "content-type": "application/json",
        "content-length": str(len(answer.content)),
        "cache-control": "no-store",
    }
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "The task async_failure failed.")
    assert "DeliberateFailure: This task fails on purpose." in caplog.text


def test_head_starts_nothing(make_service: Callable[..., Service], caplog: pytest.LogCaptureFixture):
    answer = ask(make_service, "HEAD", Settings(diagnostics=True))

    assert (answer.status_code, answer.content, caplog.records) == (202, b"", [])


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_without_the_setting_there_is_nothing_at_this_path(make_service: Callable[..., Service], method: str):
    answer = ask(make_service, method, Settings())

    assert (answer.status_code, answer.json) == (404, problem(404, "Not Found", "There is nothing at this path."))
