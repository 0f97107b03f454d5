"""Subscribe and unsubscribe numbers during the soak, with the codes that the server prints in its log."""

import json
import re
import threading
import time
from collections import Counter
from pathlib import Path

from bench.soak.client import Client
from bench.soak.kinds import JSON

NUMBERS = 40  # two codes each, out of the hundred that can be sent in an hour


def subscribe(port: int, log: Path, over: threading.Event) -> Counter[str]:
    """Subscribe and unsubscribe one number after another.

    Args:
        port: Where the server listens.
        log: The server's log, which shows texts (`QUOTES_SMS=console`).
        over: Set when it is time to stop.

    Returns:
        How often each pair of statuses was answered, as in `subscribe: 202, 200`.
    """
    answered: Counter[str] = Counter()
    client = Client(port)
    for n in range(NUMBERS):
        number = f"9190280{n:05}"
        for purpose in ("subscribe", "unsubscribe"):
            asked = client.ask("GET", f"/{purpose}?mobile={number}")
            code = _code(log, number, 1 if purpose == "subscribe" else 2) if asked.status == 202 else "000000"
            body = json.dumps({"mobile": f"+{number}", "otp": code}).encode()
            confirmed = client.ask("POST", f"/{purpose}", body, Content_Type=JSON)
            answered[f"{purpose}: {asked.status}, {confirmed.status}"] += 1
        if over.wait(0.5):
            break
    client.close()
    return answered


def _code(log: Path, number: str, which: int) -> str:
    """Return the first or second code that was sent to a number; one that is wrong if it does not come in time."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = re.findall(rf"\[SMS to \+{number}\] ([0-9]{{6}}) ", log.read_text())
        if len(found) >= which:
            return str(found[which - 1])
        time.sleep(0.05)
    return "000000"
