"""Texts, failures of AWS, and the minutes before another try are as on AWS, as far as tests of this project need it."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.aws.account import Account
from tests.aws.calls import Call
from tests.aws.endpoint import Answer, refused
from tests.aws.hand_made import HandMade
from tests.aws.phones import Text

ASKS = """
import boto3
def handler(event, context):
    client = boto3.client("sns", "us-east-1")
    try:
        getattr(client, event["call"])(**event["given"])
        return "done"
    except client.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
"""
TOPIC = "arn:aws:sns:us-east-1:123456789012:phones"


def test_texts_reach_the_phones_that_are_subscribed_then(account: Account):
    sns = account.client("sns")
    arn = sns.create_topic(Name="phones")["TopicArn"]
    account.phones.received.clear()
    numbers = [f"+49151234560{number:02}" for number in range(100, 250)]
    ends = [sns.subscribe(TopicArn=arn, Protocol="sms", Endpoint=number)["SubscriptionArn"] for number in numbers]
    kind = {"AWS.SNS.SMS.SMSType": {"DataType": "String", "StringValue": "Promotional"}}
    sns.publish(TopicArn=arn, Message="to all", MessageAttributes=kind)
    sns.unsubscribe(SubscriptionArn=ends[0])
    sns.publish(TopicArn=arn, Message="to the others")
    sns.publish(PhoneNumber=numbers[0], Message="to one")
    sns.delete_topic(TopicArn=arn)

    heard = [number for number in numbers if not number.endswith("99")]  # moto: these replied STOP
    assert [text for text in account.phones.received if text.text == "to all"] == [
        Text(number, "to all", "Promotional") for number in heard
    ]
    assert [text.number for text in account.phones.received if text.text == "to the others"] == heard[1:]
    assert account.phones.of(numbers[0])[1:] == [Text(numbers[0], "to one", None)]


@pytest.mark.parametrize(
    ("call", "given", "resource", "is_allowed"),
    [
        ("create_topic", {"Name": "phones"}, TOPIC, True),
        ("create_topic", {"Name": "others"}, TOPIC, False),
        ("publish", {"PhoneNumber": "+4915123456789", "Message": "m"}, TOPIC, False),
        ("publish", {"PhoneNumber": "+4915123456789", "Message": "m"}, "*", True),
        ("unsubscribe", {"SubscriptionArn": f"{TOPIC}:1"}, TOPIC, False),
        ("unsubscribe", {"SubscriptionArn": f"{TOPIC}:1"}, "*", True),
    ],
)
def test_calls_of_sns_need_a_permission_on_what_aws_says(
    account: Account, made: HandMade, call: str, given: dict[str, str], resource: str, is_allowed: bool
):
    grant = {"Effect": "Allow", "Action": "sns:*", "Resource": resource}
    arn = made.function("asks", ASKS, grant)

    answer = account.functions.invoke(arn, json.dumps({"call": call, "given": given}).encode())

    assert json.loads(answer.payload) == ("done" if is_allowed else "AuthorizationError")
    account.client("sns").delete_topic(TopicArn=TOPIC)


def test_calls_are_interfered_with_for_a_while(account: Account):
    sns, seen = account.client("sns"), []

    def interferes(call: Call, answer: Any) -> Answer:
        seen.append(call.action)
        return refused() if call.action == "sns:Publish" else answer()

    with account.interference(interferes):
        with pytest.raises(ClientError, match="InternalFailure"):
            sns.publish(TopicArn=TOPIC, Message="m")
        sns.list_topics()
    sns.list_topics()

    assert set(seen[:-1]) == {"sns:Publish"}  # boto3 tries more than once
    assert seen[-1] == "sns:ListTopics"


def test_before_an_event_is_tried_again_lambda_waits(account: Account, made: HandMade):
    waits: list[int] = []
    arn = made.function("fails", "def handler(event, context): raise ValueError")
    account.functions.waiting = lambda: waits.append(len(account.logs("fails")))
    account.functions.send(arn, b"{}")
    account.functions.join()
    account.functions.waiting = lambda: None

    assert len(waits) == 2
    assert 0 < waits[0] < waits[1] < len(account.logs("fails"))
