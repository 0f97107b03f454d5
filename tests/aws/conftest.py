"""The account that tests deploy to: the same for all, because a deployment takes seconds."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.aws.account import Account
from tests.aws.curled import Answer, curled
from tests.aws.hand_made import ANSWER, ECHO, Api, HandMade


@pytest.fixture(scope="session")
def account() -> Iterator[Account]:
    """Return the account, which is removed at the end."""
    with Account() as account:
        yield account


@pytest.fixture
def made(account: Account) -> Iterator[HandMade]:
    """Return what creates functions and APIs without Zappa."""
    made = HandMade(account)
    yield made
    made.delete()


@pytest.fixture
def ask(account: Account) -> Callable[..., Answer]:
    """Return what sends requests with curl."""
    return partial(curled, account)


@pytest.fixture
def echo(made: HandMade) -> Api:
    """Return an API that answers with the event."""
    return made.api(made.function("echo", ECHO), "echo")


@pytest.fixture
def answering(made: HandMade) -> Api:
    """Return an API whose function returns the parameter `answer`."""
    return made.api(made.function("answering", ANSWER), "answering")
