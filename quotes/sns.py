"""The topic of the daily text, and texts to single numbers, on Amazon SNS.

boto3 finds the credentials itself. Its retries are off: a text is only sent again if SNS rejected it, or if the caller
decides that twice is better than never (see `publishing.py`).
"""

import functools
import logging
import threading
from typing import Any

from quotes.errors import TextMayBeSent, TextsUnavailable

CONNECT_TIMEOUT = 2.0  # seconds
READ_TIMEOUT = 5.0  # seconds

log = logging.getLogger(__name__)


class Topic:
    """Send texts through SNS; safe to share between threads. `topic` returns one instance per process.

    Args:
        name: The topic's name; the topic is created if it is missing.
        region: The AWS region that texts are sent from.
    """

    def __init__(self, name: str, region: str) -> None:
        self._name = name
        self._region = region
        self._making = threading.Lock()
        self._client: Any = None
        self._arn: str | None = None

    def is_opted_out(self, number: str) -> bool:
        """Ask SNS, which otherwise accepts texts to such numbers and silently drops them."""
        return bool(self._call("check_if_phone_number_is_opted_out", phoneNumber=number)["isOptedOut"])

    def send(self, number: str, text: str) -> None:
        """Send a text as transactional, which SNS delivers with the highest reliability."""
        self._call("publish", PhoneNumber=number, Message=text, MessageAttributes=_kind("Transactional"))

    def subscribe(self, number: str) -> str:
        """Subscribe a number; for an existing subscription, SNS returns its ARN (API reference, Subscribe)."""
        request = {"TopicArn": self._topic_arn(), "Protocol": "sms", "Endpoint": number, "ReturnSubscriptionArn": True}
        return str(self._call("subscribe", **request)["SubscriptionArn"])

    def unsubscribe(self, arn: str) -> None:
        """End a subscription."""
        self._call("unsubscribe", SubscriptionArn=arn)

    def find(self, number: str) -> str | None:
        """Search all pages, of a hundred subscriptions each."""
        page: dict[str, Any] = {}
        while True:
            answer = self._call("list_subscriptions_by_topic", TopicArn=self._topic_arn(), **page)
            for found in answer["Subscriptions"]:
                if (found["Protocol"], found["Endpoint"]) == ("sms", number):
                    return str(found["SubscriptionArn"])
            if not answer.get("NextToken"):
                return None
            page = {"NextToken": answer["NextToken"]}

    def owns(self, arn: str) -> bool:
        """Compare the region and topic in the ARN, arn:aws:sns:region:account:topic:subscription."""
        parts = arn.split(":")
        return len(parts) == 7 and (parts[3], parts[5]) == (self._region, self._name)

    def publish(self, text: str) -> None:
        """Send a text to all subscribers in one call, as promotional, which SNS delivers at the lowest cost."""
        self._call("publish", TopicArn=self._topic_arn(), Message=text, MessageAttributes=_kind("Promotional"))

    def _topic_arn(self) -> str:
        with self._making:
            arn = self._arn
        if arn is None:
            arn = str(self._call("create_topic", Name=self._name)["TopicArn"])  # returns an existing one
            with self._making:
                self._arn = arn
        return arn

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

        try:
            answer: dict[str, Any] = getattr(self._made_client(), operation)(**request)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in ("NotFound", "NotFoundException"):
                with self._making:
                    self._arn = None  # the topic was deleted; the next attempt recreates it
            raise TextsUnavailable(f"SNS refuses {operation}: {code}.") from None
        except HTTPClientError as error:  # connected, but no response
            raise TextMayBeSent(f"SNS does not answer {operation}: {type(error).__name__}.") from None
        except BotoCoreError as error:  # its message may contain the request
            raise TextsUnavailable(f"SNS cannot be asked for {operation}: {type(error).__name__}.") from None
        return answer

    def _made_client(self) -> Any:
        with self._making:
            if self._client is None:
                import boto3
                from botocore.config import Config

                logger = logging.getLogger("botocore")
                if logger.isEnabledFor(logging.DEBUG):  # it would log requests, with their codes and numbers
                    logger.setLevel(logging.INFO)
                once = {"total_max_attempts": 1, "mode": "standard"}
                config = Config(connect_timeout=CONNECT_TIMEOUT, read_timeout=READ_TIMEOUT, retries=once)
                try:
                    self._client = boto3.Session().client("sns", region_name=self._region, config=config)
                except ValueError as error:  # AWS_ENDPOINT_URL is not a valid URL
                    raise TextsUnavailable(f"SNS cannot be asked: {error}.") from error
            return self._client


topic = functools.cache(Topic)


def _kind(name: str) -> dict[str, dict[str, str]]:
    """Return the attribute that sets the type of a text (SNS developer guide, "Publishing SMS messages")."""
    return {"AWS.SNS.SMS.SMSType": {"DataType": "String", "StringValue": name}}
