"""What events do, and what a function may do, is as AWS has it, as far as the tests of this project lean on it."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.s3.models import S3Backend

from tests.aws.account import Account
from tests.aws.hand_made import HandMade

TELLS = "import json\ndef handler(event, context): print('EVENT', json.dumps(event), context.aws_request_id)"
FAILS = f"{TELLS}; raise ValueError('not today')"
BOTO = """
import boto3, botocore.exceptions
def handler(event, context):
    client = boto3.client(event["service"])
    try:
        return str(getattr(client, event["call"])(**event["with"]).get("KeyCount", "done"))
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
"""


def events(account: Account, function: str) -> list[tuple[Any, str]]:
    """Return the events that a function was given, each with its request's id."""
    lines = [line.removeprefix("EVENT ").rsplit(" ", 1) for line in account.logs(function) if line.startswith("EVENT ")]
    return [(json.loads(event), request_id) for event, request_id in lines]


def queue(account: Account, name: str) -> tuple[str, str]:
    """Make a queue; return its URL and its ARN."""
    sqs = account.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def allow(action: str | list[str], resource: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def test_an_asynchronous_event_that_is_handled_is_handled_once(account: Account, made: HandMade):
    made.function("handled", TELLS)

    answer = account.client("lambda").invoke(FunctionName="handled", InvocationType="Event", Payload=b'{"a": 1}')
    account.functions.join()

    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    ((event, request_id),) = events(account, "handled")
    assert (event, request_id) == ({"a": 1}, answer["ResponseMetadata"]["RequestId"])


def test_an_asynchronous_event_that_fails_is_tried_three_times_and_becomes_a_dead_letter(
    account: Account, made: HandMade
):
    url, target = queue(account, "letters")
    made.function("fails", FAILS, allow("sqs:SendMessage", target), DeadLetterConfig={"TargetArn": target})

    account.client("lambda").invoke(FunctionName="fails", InvocationType="Event", Payload=b'{"a": 1}')
    account.functions.join()

    ((first, request_id), *repeated) = events(account, "fails")
    assert first == {"a": 1}
    assert repeated == [(first, request_id)] * 2
    sqs = account.client("sqs")
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])["Messages"]
    sqs.delete_queue(QueueUrl=url)
    assert [json.loads(message["Body"]) for message in received] == [{"a": 1}]
    attributes = {name: value["StringValue"] for name, value in received[0]["MessageAttributes"].items()}
    assert attributes == {"RequestID": request_id, "ErrorCode": "200", "ErrorMessage": "not today"}


def test_a_dead_letter_may_go_to_a_topic(account: Account, made: HandMade):
    url, queue_arn = queue(account, "subscribed")
    sns, sqs = account.client("sns"), account.client("sqs")
    topic = sns.create_topic(Name="letters")["TopicArn"]
    attributes = {"RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn, Attributes=attributes)
    sns.publish(TopicArn=topic, Message="{}")  # which the queue does not take, for it has no policy yet
    condition = {"ArnEquals": {"aws:SourceArn": topic}}
    lets = allow("sqs:SendMessage", queue_arn) | {"Principal": {"Service": "sns.amazonaws.com"}, "Condition": condition}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({"Statement": [lets]})})
    arn = made.function("to-a-topic", FAILS, allow("sns:Publish", topic), DeadLetterConfig={"TargetArn": topic})

    account.functions.send(arn, b'{"a": 2}')
    account.functions.join()

    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    sqs.delete_queue(QueueUrl=url)
    sns.delete_topic(TopicArn=topic)
    assert [json.loads(message["Body"]) for message in received] == [{"a": 2}]
    assert account.calls_of("to-a-topic")[-1][2:4] == ("sns:Publish", topic)


def test_a_function_whose_role_may_not_send_dead_letters_is_not_made(account: Account, made: HandMade):
    url, target = queue(account, "forbidden")
    account.client("sqs").delete_queue(QueueUrl=url)

    with pytest.raises(ClientError, match="execution role does not have permissions to call sqs:SendMessage"):
        made.function("no-letters", FAILS, DeadLetterConfig={"TargetArn": target})

    account.client("iam").delete_role_policy(RoleName="no-letters", PolicyName="own")
    account.client("iam").delete_role(RoleName="no-letters")


def test_how_often_an_event_is_repeated_can_be_configured(account: Account, made: HandMade):
    arn = made.function("once", FAILS)
    account.client("lambda").put_function_event_invoke_config(FunctionName="once", MaximumRetryAttempts=0)

    account.functions.send(arn, b"{}")
    account.functions.join()

    assert len(events(account, "once")) == 1


@pytest.fixture
def rule(account: Account, made: HandMade) -> str:
    """Return the name of a rule that may invoke the function `scheduled`."""
    arn = made.function("scheduled", TELLS)
    rules = account.client("events")
    source = rules.put_rule(Name="a-rule", ScheduleExpression="cron(0 0 * * ? *)")["RuleArn"]
    rules.put_targets(Rule="a-rule", Targets=[{"Id": "1", "Arn": arn}])
    account.client("lambda").add_permission(
        FunctionName="scheduled",
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=source,
    )
    yield "a-rule"
    rules.remove_targets(Rule="a-rule", Ids=["1"])
    rules.delete_rule(Name="a-rule")


def test_a_rule_fires_with_the_event_that_eventbridge_sends(account: Account, rule: str):
    account.fire(rule, times=2)
    account.functions.join()

    (first, _), (second, _) = events(account, "scheduled")
    assert first == second
    assert len(first.pop("id")) == 36
    assert first.pop("time").endswith("Z")
    assert first == {
        "version": "0",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "region": "us-east-1",
        "resources": ["arn:aws:events:us-east-1:123456789012:rule/a-rule"],
        "detail": {},
    }


def test_a_rule_that_is_disabled_does_not_fire(account: Account, rule: str):
    account.client("events").disable_rule(Name=rule)

    account.fire(rule)
    account.functions.join()

    assert events(account, "scheduled") == []


def test_a_rule_that_may_not_invoke_its_function_fails(account: Account, rule: str):
    account.client("lambda").remove_permission(FunctionName="scheduled", StatementId="rule")

    with pytest.raises(PermissionError):
        account.fire(rule)


def test_a_message_reaches_the_function_that_is_subscribed_and_lets_the_topic_in(account: Account, made: HandMade):
    arn, sns = made.function("subscriber", TELLS), account.client("sns")
    topic = sns.create_topic(Name="messages")["TopicArn"]
    subscription = sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)["SubscriptionArn"]
    sns.publish(TopicArn=topic, Message="nobody hears")
    account.client("lambda").add_permission(
        FunctionName="subscriber",
        StatementId="topic",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
        SourceArn=topic,
    )

    message_id = sns.publish(TopicArn=topic, Subject="About", Message="Hello \N{SNOWMAN}")["MessageId"]
    account.functions.join()
    sns.unsubscribe(SubscriptionArn=subscription)
    sns.delete_topic(TopicArn=topic)

    ((event, _),) = events(account, "subscriber")
    (record,) = event["Records"]
    assert (
        record.pop("Sns").items()
        >= {
            "Type": "Notification",
            "MessageId": message_id,
            "TopicArn": topic,
            "Subject": "About",
            "Message": "Hello \N{SNOWMAN}",
        }.items()
    )
    assert record == {"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": subscription}


@pytest.fixture
def bucket(account: Account) -> str:
    """Return the name of a bucket with the object `there`."""
    s3 = account.client("s3")
    s3.create_bucket(Bucket="a-bucket")
    s3.put_object(Bucket="a-bucket", Key="there", Body=b"1")
    yield "a-bucket"
    for found in s3.list_objects_v2(Bucket="a-bucket").get("Contents", []):
        s3.delete_object(Bucket="a-bucket", Key=found["Key"])
    s3.delete_bucket(Bucket="a-bucket")


def test_a_function_may_do_what_its_role_grants_now(account: Account, made: HandMade, bucket: str):
    arn = made.function("granted", BOTO, allow("s3:Get*", f"arn:aws:s3:::{bucket}/th*"))

    def asks(call: str, **given: str) -> str:
        event = {"service": "s3", "call": call, "with": {"Bucket": bucket, **given}}
        return str(json.loads(account.functions.invoke(arn, json.dumps(event).encode()).payload))

    assert asks("get_object", Key="there") == "done"
    assert asks("get_object", Key="elsewhere") == "AccessDenied"
    assert asks("put_object", Key="there", Body="2") == "AccessDenied"
    assert asks("list_objects_v2") == "AccessDenied"
    assert asks("get_object", Key="though-missing") == "AccessDenied"  # for who may not list it
    statements = [allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{bucket}/*"), allow("s3:ListBucket", "*")]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    account.client("iam").put_role_policy(RoleName="granted", PolicyName="own", PolicyDocument=policy)
    assert asks("get_object", Key="though-missing") == "NoSuchKey"
    assert asks("put_object", Key="new", Body="2") == "done"
    assert asks("list_objects_v2") == "2"
    everything = f"arn:aws:s3:::{bucket}"
    assert [(call.action, call.resource) for call in account.calls_of("granted")] == [
        ("s3:GetObject", f"{everything}/there"),
        ("s3:GetObject", f"{everything}/elsewhere"),
        ("s3:PutObject", f"{everything}/there"),
        ("s3:ListBucket", everything),
        ("s3:GetObject", f"{everything}/though-missing"),
        ("s3:GetObject", f"{everything}/though-missing"),
        ("s3:PutObject", f"{everything}/new"),
        ("s3:ListBucket", everything),
    ]


@pytest.mark.parametrize(
    ("service", "call", "given", "code"),
    [
        ("sns", "publish", {"TopicArn": "arn:aws:sns:us-east-1:123456789012:t", "Message": "m"}, "AuthorizationError"),
        ("sqs", "list_queues", {}, "AccessDeniedException"),
        ("dynamodb", "list_tables", {}, "AccessDeniedException"),
        ("lambda", "list_functions", {}, "AccessDeniedException"),
        ("sts", "get_caller_identity", {}, "done"),  # which everybody may
    ],
)
def test_a_refusal_has_the_form_of_its_service(
    account: Account, made: HandMade, service: str, call: str, given: dict[str, str], code: str
):
    arn = made.function("refused", BOTO)
    event = {"service": service, "call": call, "with": given}

    assert json.loads(account.functions.invoke(arn, json.dumps(event).encode()).payload) == code


def test_of_many_who_make_an_object_at_once_one_does(account: Account, bucket: str, monkeypatch: pytest.MonkeyPatch):
    s3, put_object = account.client("s3"), S3Backend.put_object

    def slowly(*arguments: Any, **given: Any) -> Any:
        threading.Event().wait(0.05)  # between the look at the condition and the replacement
        return put_object(*arguments, **given)

    def makes(number: int) -> bool:
        try:
            s3.put_object(Bucket=bucket, Key="new", Body=str(number).encode(), IfNoneMatch="*")
        except ClientError as error:
            assert error.response["Error"]["Code"] == "PreconditionFailed"  # noqa: PT017
            return False
        return True

    monkeypatch.setattr(S3Backend, "put_object", slowly)
    with ThreadPoolExecutor(5) as threads:
        made = list(threads.map(makes, range(5)))

    assert made.count(True) == 1
    assert s3.get_object(Bucket=bucket, Key="new")["Body"].read() == str(made.index(True)).encode()


def test_what_is_left_behind_is_told(account: Account, made: HandMade, bucket: str):
    before = set(account.left_behind())
    made.function("left", TELLS)

    assert set(account.left_behind()) - before == {
        "lambda function arn:aws:lambda:us-east-1:123456789012:function:left",
        "iam role arn:aws:iam::123456789012:role/left",
    }
    assert {"s3 bucket a-bucket", "s3 object a-bucket/there"} <= before
    with Account() as another:
        assert another.left_behind() == []
        another.client("s3").create_bucket(Bucket=bucket)
        assert another.left_behind() == [f"s3 bucket {bucket}"]
    assert set(account.left_behind()) > before
