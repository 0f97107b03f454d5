"""Dead letters: events that the function failed to handle three times, kept until somebody looks at them.

Lambda publishes them to the topic named in `dead_letter_arn`. A topic stores nothing, so a queue of the same name is
subscribed to it; an e-mail address may be, too. A letter is the event exactly as the function received it.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from deploy import stage
from deploy.stage import StageError

KEPT = 14 * 24 * 60 * 60  # seconds, the most that SQS allows
HIDDEN = 300  # seconds during which no other reader gets the letters that are read here
WAITED = 1  # seconds; without waiting SQS asks only some of its servers and may miss letters


def hold(cli: Any) -> Iterator[str]:
    """Create the stage's dead-letter topic, and the queue that keeps what is published to it.

    Args:
        cli: Zappa's command line, with the stage's settings loaded.
    """
    topic = _topic(cli)
    if not topic:
        return
    sns, sqs = (cli.zappa.boto_client(service) for service in ("sns", "sqs"))
    name = topic.rpartition(":")[2]
    sns.create_topic(Name=name)
    url, queue = sqs.create_queue(QueueName=name)["QueueUrl"], topic.replace(":sns:", ":sqs:")
    letting_in = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [letting_in]})
    attributes = {"MessageRetentionPeriod": str(KEPT), "Policy": policy, "SqsManagedSseEnabled": "true"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"})
    yield f"topic {topic}: ready, with a queue of that name, which keeps dead letters for {KEPT // 86400} days"


def listed(name: str) -> Iterator[str]:
    """List the dead letters: time, request id and what was to be done, but nothing of the contents.

    Args:
        name: The stage's name.

    Raises:
        StageError: The stage has no dead letters.
    """
    cli = stage.loaded(name)
    sqs, url = _queue(cli)
    letters = _received(sqs, url)
    _give_back(sqs, url, letters)
    yield from (_told(letter) for letter in letters)
    yield f"{len(letters)} dead letters" if letters else "no dead letters"


def retry(name: str) -> Iterator[str]:
    """Invoke the function with each dead letter again, and remove the letters that Lambda accepted.

    An event that fails again is tried three times like any other, and then is a dead letter again. What Lambda did not
    accept stays.

    Args:
        name: The stage's name.

    Raises:
        StageError: The stage has no dead letters.
    """
    cli = stage.loaded(name)
    sqs, url = _queue(cli)
    letters = _received(sqs, url)  # all of them first, so that one which fails at once is not taken twice
    try:
        while letters:
            letter, body = letters[0], letters[0]["Body"].encode()
            cli.zappa.lambda_client.invoke(FunctionName=cli.lambda_name, InvocationType="Event", Payload=body)
            sqs.delete_message(QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"])
            letters.pop(0)
            yield f"again: {_told(letter)}"
    finally:
        _give_back(sqs, url, letters)
    yield "no more dead letters; what fails again comes back after some minutes"


def remove(cli: Any) -> Iterator[str]:
    """Delete the stage's dead-letter topic and its queue, with the letters in it.

    Args:
        cli: Zappa's command line, with the stage's settings loaded.
    """
    topic = _topic(cli)
    if not topic:
        return
    cli.zappa.boto_client("sns").delete_topic(TopicArn=topic)  # and its subscriptions
    yield f"topic {topic}: deleted"
    sqs = cli.zappa.boto_client("sqs")
    try:
        sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=topic.rpartition(":")[2])["QueueUrl"])
    except sqs.exceptions.QueueDoesNotExist:
        return
    yield f"queue {topic.rpartition(':')[2]}: deleted, with the letters in it"


def _topic(cli: Any) -> str:
    """Return the ARN of the stage's topic; empty if it has none."""
    topic: str = cli.stage_config.get("dead_letter_arn", "")
    return topic if topic.startswith("arn:aws:sns:") else ""


def _queue(cli: Any) -> tuple[Any, str]:
    topic, sqs = _topic(cli), cli.zappa.boto_client("sqs")
    if not topic:
        raise StageError(f"The stage {cli.api_stage} keeps no dead letters: its `dead_letter_arn` names no topic.")
    try:
        return sqs, sqs.get_queue_url(QueueName=topic.rpartition(":")[2])["QueueUrl"]
    except sqs.exceptions.QueueDoesNotExist:
        raise StageError(
            f"There is no queue for dead letters: `make setup STAGE={cli.api_stage}` creates it."
        ) from None


def _received(sqs: Any, url: str) -> list[Any]:
    """Return all letters, oldest first, and hide them from other readers for a while."""
    found: dict[str, Any] = {}
    known = {"MessageAttributeNames": ["RequestID"], "AttributeNames": ["SentTimestamp"]}
    while letters := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=HIDDEN, WaitTimeSeconds=WAITED, **known
    ).get("Messages"):
        found |= {letter["MessageId"]: letter for letter in letters}
    return sorted(found.values(), key=lambda letter: int(letter["Attributes"]["SentTimestamp"]))


def _give_back(sqs: Any, url: str, letters: list[Any]) -> None:
    for letter in letters:
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"], VisibilityTimeout=0)


def _told(letter: Any) -> str:
    sent = datetime.fromtimestamp(int(letter["Attributes"]["SentTimestamp"]) / 1000, UTC)
    request = letter.get("MessageAttributes", {}).get("RequestID", {}).get("StringValue", "unknown")
    return f"{sent:%Y-%m-%d %H:%M:%SZ}  request {request}  {_meant(letter['Body'])}"


def _meant(body: str) -> str:
    """Return which of our functions an event is for, without its arguments."""
    try:
        event = json.loads(body)
        for record in event.get("Records", [])[:1]:  # a task that went through a topic
            event = json.loads(record["Sns"]["Message"])
        if resources := event.get("resources"):  # a rule, whose name ends in that of the function
            return str(resources[0]).rpartition("-")[2]
        return str(event.get("task_path") or event["command"])
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return "an event of another kind"
