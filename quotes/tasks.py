"""Asynchronous tasks: each runs in an invocation of its own, so that no request waits for SNS.

Importing this makes four boto3 clients, for Zappa's module does. So it is imported only where a task is started or
run. What a task is given can be read in the queue, among the dead letters and in logs: an id that says nothing of the
number, or a day.
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
    """Draw and send the one-time password of a request."""
    _service().subscriptions.send_code(id_)


@task
def async_subscribe(id_: str) -> None:
    """Subscribe the number whose owner confirmed a request, unless it was unsubscribed since."""
    _service().subscriptions.follow(id_)


@task
def async_unsubscribe(id_: str) -> None:
    """End the subscription of the number whose owner confirmed a request, unless it was subscribed again since."""
    _service().subscriptions.follow(id_)


@task
def async_publish(day: str) -> None:
    """Publish the quote of a day, written as YYYY-MM-DD, unless that was done."""
    _service().publishing.publish(dt.date.fromisoformat(day))


@task
def async_failure() -> None:
    """Fail, to show what becomes of a task that does."""
    raise DeliberateFailure


TASKS = {
    function.__name__: function
    for function in (async_send_otp, async_subscribe, async_unsubscribe, async_publish, async_failure)
}


def start(settings: Settings, name: str, *arguments: str) -> None:
    """Start a task where the settings say.

    Calling a task starts it through Lambda, in this function. `run` takes it to another function or region, or through
    another service; unlike a call it runs nothing here when there is no function, so the settings decide before.

    Args:
        settings: The settings.
        name: One of `TASKS`.
        arguments: What it is given.

    Raises:
        TaskNotStarted: It was not taken.
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
    """Return a session in a region: Zappa's own clients are all in the region of this function."""
    return boto3.Session(region_name=region)


@functools.cache
def _service() -> Service:
    return Service.of(Settings.from_environ())
