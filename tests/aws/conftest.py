"""The account that tests deploy to: one for all of them, for a deployment takes seconds."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.aws.account import Account
from tests.aws.curled import Answer, curled
from tests.aws.hand_made import ANSWER, ECHO, Api, HandMade


@pytest.fixture(scope="session")
def account() -> Iterator[Account]:
    """Return the account; nothing of it is left at the end."""
    with Account() as account:
        yield account


@pytest.fixture
def made(account: Account) -> Iterator[HandMade]:
    """Return what makes functions and APIs without Zappa."""
    made = HandMade(account)
    yield made
    made.delete()


@pytest.fixture
def ask(account: Account) -> Callable[..., Answer]:
    """Return what asks with curl."""
    return partial(curled, account)


@pytest.fixture
def echo(made: HandMade) -> Api:
    """Return an API that answers with the event."""
    return made.api(made.function("echo", ECHO), "echo")


@pytest.fixture
def answering(made: HandMade) -> Api:
    """Return an API whose function returns what the parameter `answer` says."""
    return made.api(made.function("answering", ANSWER), "answering")
