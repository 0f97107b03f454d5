"""The client processes: they send random requests and count wrong answers."""

import random
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from bench.soak.client import Client
from bench.soak.kinds import KINDS, Day

CLIENTS = 8  # threads in each process, each with a connection of its own


class Share(NamedTuple):
    """What some of the clients did: requests of each kind, wrong answers by description, connections opened."""

    asked: Counter[str]
    wrong: Counter[str]
    connections: int

    def wrong_of(self, kind: str) -> int:
        """Return the number of wrong answers to one kind of request."""
        return sum(number for text, number in self.wrong.items() if text.startswith(f"{kind}: "))


_done: Any = None


def begin(done: Any) -> None:
    """Initialize a client process.

    Args:
        done: The shared count of answered requests (`multiprocessing.Value`).
    """
    global _done  # noqa: PLW0603  # a shared value can only be handed to a process when it starts
    _done = done
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def send(port: int, number: int, day: Day) -> Share:
    """Send requests from `CLIENTS` threads.

    Args:
        port: Where the server listens.
        number: Of requests in all.
        day: What the day's quote has to be.
    """
    with ThreadPoolExecutor(CLIENTS) as pool:
        return total(list(pool.map(lambda _: _client(port, number // CLIENTS, day), range(CLIENTS))))


def _client(port: int, number: int, day: Day) -> Share:
    share, client = Share(Counter(), Counter(), 0), Client(port)
    weights = [weight for weight, _ in KINDS.values()]
    for name in random.choices(list(KINDS), weights, k=number):
        try:
            wrong = "" if KINDS[name][1](client, day) else "a wrong answer"
        except (OSError, AssertionError, KeyError, ValueError, IndexError) as error:
            client.close()
            wrong = f"{type(error).__name__}: {error}"
        share.asked[name] += 1
        if wrong:
            share.wrong[f"{name}: {wrong}"] += 1
        with _done.get_lock():
            _done.value += 1
    client.close()
    return share._replace(connections=client.connections)


def total(shares: list[Share]) -> Share:
    """Add shares up."""
    asked, wrong = Counter[str](), Counter[str]()
    for share in shares:
        asked += share.asked
        wrong += share.wrong
    return Share(asked, wrong, sum(share.connections for share in shares))
