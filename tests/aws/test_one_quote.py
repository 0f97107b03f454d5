"""One day has one quote across instances, cold and warm, however its rule fires, with and without upstream."""

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.aws.stages import Stage
from tests.stub_upstream import Upstream

pytest_plugins = ("tests.aws.stages",)

INSTANCES = 5


def asked_at_once(stage: Stage) -> set[bytes]:
    """Return the different answers of as many requests at once as there are instances."""
    with ThreadPoolExecutor(INSTANCES) as threads:
        answers = list(threads.map(lambda _: stage.curl("/quote?type=daily"), range(INSTANCES)))
    assert {answer.status for answer in answers} == {200}
    return {answer.body for answer in answers}


def on_record(stage: Stage) -> list[tuple[str, str]]:
    """Return the days and quotes in the state."""
    body = stage.account.client("s3").get_object(**stage.state)["Body"].read()
    with sqlite3.connect(":memory:") as db:
        db.deserialize(body)
        return db.execute("SELECT day, quote FROM daily_quote").fetchall()


@pytest.mark.parametrize("has_upstream", [False, True], ids=["corpus", "upstream"])
def test_five_instances_that_start_at_once_agree_and_stay_agreed(
    new_stage: Stage, upstream: Upstream, has_upstream: bool
):
    if has_upstream:
        new_stage.set_environment(Mashape_API_Endpoint=upstream.url)
    new_stage.account.functions.scale(new_stage.arn, INSTANCES)

    cold, warm = asked_at_once(new_stage), asked_at_once(new_stage)
    new_stage.account.functions.scale(new_stage.arn, INSTANCES)
    others = asked_at_once(new_stage)

    (body,) = cold
    assert cold == warm == others
    assert on_record(new_stage) == [(json.loads(body)["date"], json.loads(body)["quote"])]
    assert json.loads(body)["quote"].startswith("Number ") is has_upstream
    assert len(new_stage.account.functions.containers(new_stage.arn)) == INSTANCES


def test_an_instance_that_is_killed_leaves_the_day_to_the_next(new_stage: Stage):
    first = new_stage.curl("/daily").body
    for container in new_stage.account.functions.containers(new_stage.arn):
        container.kill()

    assert new_stage.curl("/daily").body == first


def test_the_rule_stores_the_day_once_however_often_its_event_comes(new_stage: Stage):
    new_stage.account.functions.scale(new_stage.arn, INSTANCES)
    rule = f"quotes-{new_stage.name}-quotes.schedulers.set_quote_of_the_day"

    new_stage.account.fire(rule, times=1)
    new_stage.account.functions.join()
    (stored,) = on_record(new_stage)
    new_stage.account.fire(rule, times=4)
    new_stage.account.functions.join()

    answer = new_stage.curl("/daily").json
    assert on_record(new_stage) == [stored] == [(answer["date"], answer["quote"])]


def test_a_rule_that_fires_for_all_instances_at_once_stores_the_day_once(new_stage: Stage, upstream: Upstream):
    new_stage.set_environment(Mashape_API_Endpoint=upstream.url)

    new_stage.account.fire(f"quotes-{new_stage.name}-quotes.schedulers.set_quote_of_the_day", times=INSTANCES)
    new_stage.account.functions.join()

    (stored,) = on_record(new_stage)
    assert stored[1].startswith("Number ")
    assert new_stage.curl("/daily").json["quote"] == stored[1]


def test_without_its_state_the_midnight_job_fails_so_that_lambda_tries_again(new_stage: Stage):
    new_stage.account.client("s3").put_object(**new_stage.state, Body=b"no database")
    before = _not_on_record(new_stage)

    new_stage.account.fire(f"quotes-{new_stage.name}-quotes.schedulers.set_quote_of_the_day")
    new_stage.account.functions.join()

    assert _not_on_record(new_stage) - before == 3  # once, and two repetitions
    assert new_stage.curl("/daily").headers["cache-control"] == "no-store"


def _not_on_record(stage: Stage) -> int:
    return sum("StateUnavailable: The quote of" in line for line in stage.account.logs(stage.function))
