"""The account that tests deploy to: one for all of them, for a deployment takes seconds."""

from collections.abc import Iterator

import pytest

from tests.aws.account import Account
from tests.aws.hand_made import HandMade


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
