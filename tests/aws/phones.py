"""Phones, which receive the texts of an account's SNS; moto delivers them nowhere."""

from typing import Any, NamedTuple

import pytest
from moto.sns.models import SNSBackend

PUBLISH = SNSBackend.publish  # moto's own, even in a nested account


class Text(NamedTuple):
    """A text that arrived: number, message and kind (AWS.SNS.SMS.SMSType)."""

    number: str
    text: str
    kind: str | None


class Phones:
    """Receive texts to a number, and texts to a topic once for each number that is subscribed then.

    Attributes:
        received: The texts so far.
    """

    def __init__(self, moto: pytest.MonkeyPatch) -> None:
        self.received: list[Text] = []
        moto.setattr(SNSBackend, "publish", self._published)

    def of(self, number: str) -> list[Text]:
        """Return the texts that a number received."""
        return [text for text in self.received if text.number == number]

    @property
    def _published(self) -> Any:
        def published(sns: SNSBackend, message: str, arn: str, phone_number: str | None = None, **given: Any) -> str:
            message_id = PUBLISH(sns, message, arn, phone_number, **given)
            kind = (given.get("message_attributes") or {}).get("AWS.SNS.SMS.SMSType", {}).get("Value")
            numbers = [phone_number] if phone_number else _subscribed(sns, arn)
            # A number that replied STOP gets nothing, and SNS does not say so.
            reached = (number for number in numbers if not sns.check_if_phone_number_is_opted_out(number))
            self.received += [Text(number, message, kind) for number in reached]
            return message_id

        return published


def _subscribed(sns: SNSBackend, arn: str) -> list[str]:
    """Return all numbers that are subscribed to a topic; moto returns the first hundred."""
    subscriptions = list(sns.subscriptions.values())
    return [each.endpoint for each in subscriptions if each.protocol == "sms" and each.topic_arn == arn]
