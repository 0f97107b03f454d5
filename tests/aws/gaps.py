"""What moto's models lack for a deployment, patched in while an account exists."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from moto.awslambda.models import LambdaFunction, lambda_backends
from moto.sns.models import Subscription
from moto.sqs.models import sqs_backends

from tests.aws import gateway_gaps
from tests.aws.permissions import lets_in
from tests.aws.phones import Phones


class Gaps:
    """Patches of moto. Their creator has to undo them with `close`.

    Attributes:
        deliver: Invokes a function asynchronously, given its ARN and the event.
        phones: Where texts arrive.
    """

    deliver: Callable[[str, bytes], object]

    def __init__(self) -> None:
        self._moto = pytest.MonkeyPatch()
        self._moto.setattr(Subscription, "publish", self._published(Subscription.publish))
        self._moto.setattr(LambdaFunction, "invoke", self._invoked)
        self.phones = Phones(self._moto)
        gateway_gaps.close(self._moto)

    def close(self) -> None:
        """Undo the patches."""
        self._moto.undo()

    def _published(self, publish: Callable[..., None]) -> Callable[..., None]:
        def published(subscription: Subscription, message: str, message_id: str, **given: Any) -> None:
            if subscription.protocol != "lambda":
                if subscription.protocol != "sqs" or _takes(subscription):
                    publish(subscription, message, message_id, **given)
                return
            region = subscription.endpoint.split(":")[3]
            function = lambda_backends[subscription.account_id][region].get_function(subscription.endpoint)
            policy, arn = {"Statement": function.policy.statements}, function.function_arn
            if lets_in(policy, "sns.amazonaws.com", subscription.topic.arn, "lambda:InvokeFunction", arn):
                self.deliver(subscription.endpoint, _notification(subscription, message, message_id, **given))

        return published

    @property
    def _invoked(self) -> Callable[..., str]:
        """Return what invokes a function for another service; moto would need Docker."""

        def invoked(function: LambdaFunction, body: str, *_: object) -> str:
            self.deliver(function.function_arn, body.encode())
            return ""

        return invoked


def _takes(subscription: Subscription) -> bool:
    """Tell whether a queue's policy admits a topic, which moto does not check."""
    _, _, _, region, account, name = subscription.endpoint.split(":")
    policy = sqs_backends[account][region].get_queue(name).policy
    given = {"Statement": []} if not policy else json.loads(policy) if isinstance(policy, str) else policy
    topic = subscription.topic.arn
    return lets_in(given, "sns.amazonaws.com", topic, "sqs:SendMessage", subscription.endpoint)


def _notification(
    subscription: Subscription,
    message: str,
    message_id: str,
    subject: str | None = None,
    message_attributes: dict[str, Any] | None = None,
    **_: Any,
) -> bytes:
    """Return the event with which a topic's message reaches a function (AWS, "Using AWS Lambda with Amazon SNS")."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    notification = {
        "Type": "Notification",
        "MessageId": message_id,
        "TopicArn": subscription.topic.arn,
        "Subject": subject,
        "Message": message,
        "Timestamp": now,
        "SignatureVersion": "1",
        "Signature": "EXAMPLE",
        "SigningCertUrl": "EXAMPLE",
        "UnsubscribeUrl": "EXAMPLE",
        "MessageAttributes": message_attributes or {},
    }
    record = {"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": subscription.arn}
    return json.dumps({"Records": [{**record, "Sns": notification}]}).encode()
