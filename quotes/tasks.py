"""Asynchronous tasks: each runs in an invocation of its own, so that no request waits for SNS.

Importing this module is slow, because Zappa's creates four boto3 clients; so it is only imported where a task is
started or run. Arguments of tasks show up in queues, dead letters and logs, so they are only opaque ids and days.
"""

import datetime as dt
import functools

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from zappa.asynchronous import AsyncException, run, task

from quotes.errors import DeliberateFailure, TaskNotStarted
from quotes.service import Service
from quotes.settings import Settings


@task
def async_send_otp(id_: str) -> None:
    """Generate and send the one-time password of a request."""
    _service().subscriptions.send_code(id_)


@task
def async_subscribe(id_: str) -> None:
    """Subscribe the number of a confirmed request, unless its owner has unsubscribed since."""
    _service().subscriptions.follow(id_)


@task
def async_unsubscribe(id_: str) -> None:
    """Unsubscribe the number of a confirmed request, unless its owner has subscribed again since."""
    _service().subscriptions.follow(id_)


@task
def async_publish(day: str) -> None:
    """Publish the quote of a day, given as YYYY-MM-DD, unless that has been done."""
    _service().publishing.publish(dt.date.fromisoformat(day))


@task
def async_failure() -> None:
    """Fail deliberately, to exercise the dead-letter path."""
    raise DeliberateFailure


TASKS = {
    function.__name__: function
    for function in (async_send_otp, async_subscribe, async_unsubscribe, async_publish, async_failure)
}


def start(settings: Settings, name: str, *arguments: str) -> None:
    """Start a task in the function, and through the service, that the settings name.

    Calling a task invokes this Lambda function asynchronously; off Lambda, Zappa runs it on the spot. `run` can also
    use another function, region or service, but never falls back to running the task here.

    Args:
        settings: The settings.
        name: One of `TASKS`.
        arguments: The task's arguments.

    Raises:
        TaskNotStarted: The task was not accepted.
    """
    function = TASKS[name]
    try:
        if settings.task_service == "lambda" and not (settings.task_function or settings.task_region):
            function(*arguments)
        else:
            run(
                function,
                arguments,
                service=settings.task_service,
                remote_aws_lambda_function_name=settings.task_function,
                remote_aws_region=settings.task_region,
                boto_session=_session(settings.task_region),
            )
    except (AsyncException, BotoCoreError, ClientError) as error:
        raise TaskNotStarted(f"{name} was not taken: {error}") from error


@functools.cache
def _session(region: str | None) -> boto3.Session:
    """Return a session for a region; Zappa's own clients only use this function's region."""
    return boto3.Session(region_name=region)


@functools.cache
def _service() -> Service:
    return Service.of(Settings.from_environ())
