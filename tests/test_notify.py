"""Unhandled exceptions: told once, in time, to the topic, and nothing that nobody may read; on a real SNS interface."""

import json
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from falcon import testing

from quotes import failure
from quotes.errors import Unauthorized
from quotes.gateway import create_handler
from quotes.notify import BUDGET, QUIET, Notifier, route_of, tell, unhandled_exceptions
from quotes.resources import create_api
from quotes.service import Service
from quotes.settings import Instance, Settings
from tests.conftest import NOON, Seconds
from tests.sns import SNS, Exchange, hang_up, refuse
from tests.test_gateway import a_stage, an_event
from tests.test_problems import corpus_that_raises, problem

pytest_plugins = ("tests.s3", "tests.sns")

DEFECT = problem(500, "Internal Server Error", "Something went wrong here. It is not your request's fault.")
SECRET = "tests-have-no-secrets-but-need-32-characters"


@pytest.fixture
def seconds() -> Seconds:
    seconds = Seconds()
    seconds.passed = NOON.timestamp()
    return seconds


@pytest.fixture
def instance(sns: SNS) -> Instance:
    return Instance("quotes-dev", "us-east-1", "dev", sns.topic, (SECRET,))


@pytest.fixture
def notifier(instance: Instance, tmp_path: Path, seconds: Seconds) -> Notifier:
    return Notifier(instance, tmp_path / "failures.json", seconds)


@pytest.fixture
def on_lambda(aws: pytest.MonkeyPatch, sns: SNS, tmp_path: Path) -> pytest.MonkeyPatch:
    """Be an instance of a function, as far as the environment tells."""
    aws.setenv("AWS_LAMBDA_FUNCTION_NAME", f"quotes-{sns.topic}")
    aws.setenv("AWS_REGION", "us-east-1")
    aws.setenv("STAGE", "dev")
    aws.setenv("QUOTES_ALERT_TOPIC", sns.topic)
    aws.setattr(tempfile, "tempdir", str(tmp_path))
    return aws


class Unforeseen(Exception):
    """Be what nobody thought of."""


def raised(text: str = "nobody thought of this", cause: Exception | None = None) -> Exception:
    try:
        raise Unforeseen(text) from cause  # noqa: TRY301
    except Unforeseen as error:
        return error


def told(sns: SNS, at_least: int = 0) -> list[dict[str, Any]]:
    """Return what was told; on a busy machine it comes late."""
    _until(lambda: len(sns.texts()) >= at_least)
    return [json.loads(call.text or "") for call in sns.texts()]


def mailbox(sns: SNS, moto_port: int) -> Callable[[], list[dict[str, Any]]]:
    """Subscribe a queue to the topic; return what reads it."""
    region: dict[str, Any] = {"region_name": "us-east-1", "endpoint_url": f"http://127.0.0.1:{moto_port}"}
    queue = boto3.client("sqs", **region)
    url = queue.create_queue(QueueName=sns.topic)["QueueUrl"]
    arn = queue.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = boto3.client("sns", **region)
    made = topic.create_topic(Name=sns.topic)["TopicArn"]
    topic.subscribe(TopicArn=made, Protocol="sqs", Endpoint=arn)

    def read() -> list[dict[str, Any]]:
        received = queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in received]

    return read


def test_who_subscribed_to_the_topic_is_told_what_failed_and_where(notifier: Notifier, sns: SNS, moto_port: int):
    read = mailbox(sns, moto_port)
    error = raised("no row 919028012345", cause=KeyError("mobile"))

    notifier.tell(error, "GET /daily", "11111111-2222-3333-4444-555555555555", 60)

    (mail,) = read()
    assert mail["Subject"] == "quotes-dev: tests.test_notify.Unforeseen in GET /daily"
    line = raised.__code__.co_firstlineno + 2
    assert json.loads(mail["Message"]) == {
        "time": "2026-11-21T12:00:00.000+00:00",
        "stage": "dev",
        "request_id": "11111111-2222-3333-4444-555555555555",
        "route": "GET /daily",
        "exception": "tests.test_notify.Unforeseen: no row [number]",
        "traceback": [
            "KeyError: 'mobile'",
            f"tests/test_notify.py:{line} raised",
            "tests.test_notify.Unforeseen: no row [number]",
        ],
        "repeated": 0,
    }
    assert [call.action for call in sns.asked] == ["CreateTopic", "Publish"]


@pytest.mark.parametrize("where", ["text", "cause", "context"])
def test_nothing_is_told_that_nobody_may_read(notifier: Notifier, sns: SNS, where: str):
    text = (
        f"GET https://me:pass@example.org/subscribe?mobile=919028012345&otp=482913 with {SECRET}, "
        "{'Authorization': 'Bearer abcdef', 'X-Mashape-Key': 'ghijkl'}, code 482913, +91 90280 12345"
    )
    if where == "text":
        error = raised(text)
    elif where == "cause":
        error = raised(cause=ValueError(text))
    else:
        error = raised()
        error.__context__, error.__suppress_context__ = ValueError(text), False

    notifier.tell(error, "GET /subscribe", "", 60)

    (message,) = [call.text or "" for call in sns.texts()]
    words = ("me:pass", "?mobile", "9028", "90280", "482913", SECRET, "abcdef", "ghijkl", "otp")
    assert [word for word in words if word in message] == []
    assert "https://[user]@example.org/subscribe?[query] with [secret]" in message


@pytest.mark.parametrize("letter", ["a ", "é", "😀", "\x00", "\ud83d", "1"])
def test_a_message_is_never_longer_than_sns_takes(notifier: Notifier, sns: SNS, letter: str):
    error = raised(letter * 300_000)
    for _ in range(9):
        error = raised(letter * 300_000, cause=error)

    def deeper(n: int) -> None:
        if n:
            deeper(n - 1)
        raise error

    try:
        deeper(300)
    except Unforeseen as deep:
        notifier.tell(deep, "GET /" + letter * 300, "", 60)

    (message,) = [call.text or "" for call in sns.texts()]
    assert len(message.encode()) < 100_000
    assert len(json.loads(message)["traceback"]) == failure.FRAMES + 1 + failure.CHAIN + 3


def test_the_same_failure_is_told_once_in_five_minutes_and_then_with_its_count(
    instance: Instance, notifier: Notifier, sns: SNS, seconds: Seconds, tmp_path: Path
):
    def fail(notifier: Notifier, text: str) -> None:
        notifier.tell(raised(text), "GET /daily", "", 60)  # always in the same line

    for number in range(3):
        fail(notifier, f"text {number}")
    restarted = Notifier(instance, tmp_path / "failures.json", seconds)
    seconds.passed += QUIET - 1
    fail(restarted, "text 3")
    restarted.tell(raised(), "GET /health", "", 60)
    seconds.passed += 1
    fail(restarted, "text 4")
    fail(notifier, "text 5")
    seconds.passed += QUIET
    fail(notifier, "text 6")

    found = [(message["route"], message["exception"].partition(": ")[2], message["repeated"]) for message in told(sns)]
    assert found == [
        ("GET /daily", "text 0", 0),
        ("GET /health", "nobody thought of this", 0),
        ("GET /daily", "text 4", 3),
        ("GET /daily", "text 6", 1),
    ]


def test_the_same_is_the_same_place_however_it_was_reached(notifier: Notifier, sns: SNS):
    def here() -> None:
        raise Unforeseen("here")

    def there() -> None:
        raise Unforeseen("there")

    def around() -> None:
        here()

    for fail in (here, around, there):
        try:
            fail()
        except Unforeseen as error:
            notifier.tell(error, "GET /daily", "", 60)

    assert [message["exception"].partition(": ")[2] for message in told(sns)] == ["here", "there"]


def test_a_file_that_makes_no_sense_or_cannot_be_written_keeps_nobody_from_telling(
    instance: Instance, sns: SNS, tmp_path: Path
):
    for number, content in enumerate(("{", "[]", '{"a": 1}', '{"a": ["b", "c"]}')):
        file = tmp_path / str(number)
        file.write_text(content)
        Notifier(instance, file).tell(raised(), "GET /", "", 60)
    homeless = Notifier(instance, tmp_path / "no" / "folder")
    for _ in range(3):
        homeless.tell(raised(), "GET /", "", 60)

    assert len(told(sns)) == 5


@pytest.mark.parametrize("fault", [refuse, hang_up])
def test_a_failure_that_cannot_be_told_is_logged_and_told_later_with_its_count(
    notifier: Notifier, sns: SNS, seconds: Seconds, caplog: pytest.LogCaptureFixture, fault
):
    sns.faults["Publish"] = iter([fault])
    for _ in range(3):
        notifier.tell(raised("with 919028012345"), "GET /daily", "", 60)
    asked = len(sns.asked)
    seconds.passed += 30
    notifier.tell(raised(), "GET /health", "", 60)
    for _ in range(2):
        notifier.tell(raised(), "GET /daily", "", 60)

    assert asked == 2  # the topic and one message: SNS is left alone for a while
    assert [(message["route"], message["repeated"]) for message in told(sns)] == [("GET /health", 0), ("GET /daily", 3)]
    (line,) = caplog.messages
    assert line.startswith(f"A failure could not be told to the topic {sns.topic}: ")
    assert "9028" not in line


def test_an_answer_does_not_wait_for_an_sns_that_is_slow(
    notifier: Notifier, sns: SNS, caplog: pytest.LogCaptureFixture
):
    notifier.tell(raised(), "GET /daily", "", 60)
    may_answer, has_answered = threading.Event(), threading.Event()

    def hold(exchange: Exchange) -> None:
        may_answer.wait(30)
        has_answered.set()
        exchange.close_connection = True

    sns.faults["Publish"] = iter([hold])
    notifier.tell(raised(), "GET /health", "", 0.1)
    late = has_answered.is_set()
    _until(lambda: [call.action for call in sns.asked].count("Publish") == 2)
    notifier.tell(raised(), "GET /health", "", 0.1)  # is counted, and sends nothing while the first is on its way
    may_answer.set()

    assert late is False
    assert caplog.messages[0] == "The message about a failure is late; it goes out with the next event."
    assert [call.action for call in sns.asked].count("Publish") == 2
    _until(lambda: any("could not be told" in message for message in caplog.messages))


def _until(is_true: Callable[[], bool]) -> None:
    waiting = threading.Event()
    for _ in range(1000):
        if is_true():
            return
        waiting.wait(0.01)
    pytest.fail("It did not come about.")


def test_a_topic_that_somebody_deleted_is_made_again(notifier: Notifier, sns: SNS, moto_port: int):
    notifier.tell(raised(), "GET /daily", "", 60)
    client = boto3.client("sns", region_name="us-east-1", endpoint_url=f"http://127.0.0.1:{moto_port}")
    client.delete_topic(TopicArn=client.create_topic(Name=sns.topic)["TopicArn"])

    notifier.tell(raised(), "GET /health", "", 60)

    assert [call.action for call in sns.asked] == ["CreateTopic", "Publish", "Publish", "CreateTopic", "Publish"]
    assert sns.taken[-1].action == "Publish"


class Unspeakable(Exception):
    """Be an error that is not even text."""

    def __str__(self) -> str:  # noqa: D105
        raise ValueError


class Final(Exception):
    """Be an error that would end the process of who looks at it."""

    def __str__(self) -> str:  # noqa: D105
        raise SystemExit


class Odd:
    """Be an invocation that makes trouble."""

    @property
    def aws_request_id(self) -> str:
        raise RuntimeError


@pytest.mark.usefixtures("on_lambda")
def test_it_never_raises_and_leaves_the_event_to_lambda(sns: SNS, caplog: pytest.LogCaptureFixture):
    context = SimpleNamespace(aws_request_id="id")

    answers = [
        unhandled_exceptions(Unspeakable(), {"command": "quotes.schedulers.job"}, context),
        unhandled_exceptions(Final(), None, None),
        unhandled_exceptions(KeyboardInterrupt(), ["no", "event"], "no context"),
        unhandled_exceptions(RuntimeError("odd"), {}, Odd()),
    ]

    assert answers == [False] * 4
    assert [(message["route"], message["request_id"], message["exception"]) for message in told(sns, 3)] == [
        ("quotes.schedulers.job", "id", "tests.test_notify.Unspeakable: (it cannot be written as text)"),
        ("unknown", None, "tests.test_notify.Final: (it cannot be written as text)"),
        ("unknown", None, "KeyboardInterrupt"),
    ]
    assert caplog.messages == ["An unhandled exception could not be told."]


@pytest.mark.usefixtures("on_lambda")
def test_whom_the_authorizer_refuses_cannot_ring_the_bell(sns: SNS):
    event = {"type": "TOKEN", "authorizationToken": "Bearer x", "methodArn": "arn"}

    assert unhandled_exceptions(Unauthorized(), event, SimpleNamespace(aws_request_id="id")) is False
    assert sns.asked == []


def test_off_lambda_nothing_is_sent(aws: pytest.MonkeyPatch, sns: SNS):
    aws.delenv("AWS_LAMBDA_FUNCTION_NAME", raising=False)

    tell(raised(), "GET /daily", None)

    assert unhandled_exceptions(raised(), {}, None) is False
    assert sns.asked == []


@pytest.mark.parametrize("handler", ["ours", "zappas", "any server"])
@pytest.mark.usefixtures("on_lambda")
def test_a_defect_of_a_resource_is_told_once_and_answered(make_service: Callable[..., Service], sns: SNS, handler: str):
    service = make_service(corpus=corpus_that_raises(RuntimeError("nobody thought of this")))
    app, context = create_api(Settings(), service), SimpleNamespace(aws_request_id="an-id")
    if handler == "ours":
        stage = a_stage(EXCEPTION_HANDLER="quotes.notify.unhandled_exceptions")
        event = an_event("/quote", multiValueQueryStringParameters={"type": ["random"], "mobile": ["919028012345"]})
        answer = create_handler(app, stage)(event, context)
        status, body = answer["statusCode"], json.loads(answer["body"])
    else:
        extras = {"lambda.context": context} if handler == "zappas" else {}
        result = testing.simulate_get(app, "/quote?type=random&mobile=919028012345", extras=extras)
        status, body = result.status_code, result.json

    assert (status, body) == (500, DEFECT)
    (message,) = told(sns, 1)
    assert message["route"] == "GET /quote"
    assert message["request_id"] == (None if handler == "any server" else "an-id")
    assert message["exception"] == "RuntimeError: nobody thought of this"
    assert message["traceback"][-2].startswith("tests/test_problems.py:")
    assert len(message["traceback"]) <= failure.FRAMES + 2
    assert "9028" not in json.dumps(message)


@pytest.mark.usefixtures("on_lambda")
def test_a_defect_outside_the_application_is_told_once_and_answered(sns: SNS):
    def broken(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        raise RuntimeError

    event = an_event("/subscribe/919028012345", resource="/{proxy+}")
    answer = create_handler(broken, a_stage(EXCEPTION_HANDLER="quotes.notify.unhandled_exceptions"))(event, None)

    assert answer["statusCode"] == 500
    assert [message["route"] for message in told(sns, 1)] == ["GET /{proxy+}"]


@pytest.mark.usefixtures("on_lambda")
def test_what_is_an_answer_already_is_not_told(make_service: Callable[..., Service], sns: SNS):
    app = create_api(Settings(), make_service())

    statuses = [testing.simulate_get(app, path).status_code for path in ("/no/such/path", "/quote?type=weekly")]

    assert (statuses, sns.asked) == ([404, 400], [])


RULE = "arn:aws:events:us-east-1:123456789012:rule/quotes-dev-quotes.schedulers.set_quote_of_the_day"
TASK = {"task_path": "quotes.tasks.async_failure", "command": "zappa.asynchronous.route_lambda_task", "args": ["9190"]}


@pytest.mark.parametrize(
    ("event", "route"),
    [
        ({}, "start"),
        ({"httpMethod": "GET", "path": "/quotes/9190", "resource": "/quotes/{id}"}, "GET /quotes/{id}"),
        ({"httpMethod": "GET", "path": "/9190"}, "GET /"),
        ({"detail-type": "Scheduled Event", "resources": [RULE]}, "quotes.schedulers.set_quote_of_the_day"),
        ({"command": "quotes.schedulers.set_quote_of_the_day"}, "quotes.schedulers.set_quote_of_the_day"),
        (TASK, "quotes.tasks.async_failure"),
        ({"Records": [{"Sns": {"Message": json.dumps(TASK)}}]}, "quotes.tasks.async_failure"),
        ({"Records": [{"Sns": {"Message": "Good morning 9190"}, "EventSource": "aws:sns"}]}, "aws.sns"),
        ({"raw_command": "print(9190)"}, "unknown"),
        ({"command": "print(9190)"}, "unknown"),
        ({"resources": ["9190"]}, "unknown"),
        ("an event", "unknown"),
    ],
)
def test_the_route_is_what_ran_and_nothing_that_it_was_given(event: Any, route: str):
    assert route_of(event) == route


def test_an_answer_waits_less_than_a_second():
    assert BUDGET < 1
