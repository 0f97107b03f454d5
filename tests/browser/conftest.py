"""The service as `python -m quotes serve` runs it, and Debian's Chromium, which looks at it as people do."""

import contextlib
import datetime as dt
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from pytest_socket import socket_allow_hosts

from quotes.corpus import EMBEDDED, Corpus
from quotes.corpus_builder import built_file
from quotes.database import open_database
from quotes.models import store_quote

ROOT = Path(__file__).parent.parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OFFLINE = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DAYS = 34  # on record, besides today
SIZES = {"narrow": (320, 640), "wide": (1280, 800)}

# What a page must not do is collected in the page, for a browser only writes some of it to its console.
WATCHING = (
    "addEventListener('securitypolicyviolation', e => console.error('CSP ' + e.violatedDirective + e.blockedURI))"
)


@dataclass(frozen=True)
class Site:
    """A running service.

    Attributes:
        url: Where it answers, with the path it is mounted at.
        today: The day that it has.
        corpus: Its library.
        log: The file that it writes its log to.
    """

    url: str
    today: dt.date
    corpus: Corpus
    log: Path

    def code(self, number: str) -> str:
        """Wait for the latest code that was sent to a number, and return it."""
        return awaited(lambda: re.findall(rf"SMS to \+{number}\].*?\b(\d{{6}})\b", self.log.read_text())[-1:])[0]


@dataclass
class Visit:
    """A page in a browser, and everything it should not have done.

    Attributes:
        page: The page.
        requests: The addresses it asked for.
        complaints: What the browser wrote to its console, and errors of scripts.
    """

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


def awaited(look: Callable[[], Any], seconds: float = 20) -> Any:
    """Look until there is something, and return it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.02)
    pytest.fail("It did not come.")


@contextlib.contextmanager
def served(folder: Path, mounted: str = "", library: Path = EMBEDDED) -> Iterator[Site]:
    """Run the service on this machine with some days of a library on record."""
    # Not the zone whose day ends while the tests run.
    zone = "Etc/GMT+12" if dt.datetime.now(dt.UTC).hour >= 18 else "UTC"
    today = dt.datetime.now(ZoneInfo(zone)).date()
    corpus = Corpus(lambda: built_file(library))
    state, log = f"sqlite:///{folder}/quotes.db", folder / "log"
    days = [today - dt.timedelta(days=n) for n in range(1, DAYS + 1)]
    now = dt.datetime.now(dt.UTC)
    open_database(state).write(lambda db: [store_quote(db, day, corpus.of_day(day), now) for day in days])
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    environ = {
        "PATH": os.environ["PATH"],
        "PORT": str(port),
        "DATABASE_URL": state,
        "QUOTES_CORPUS": str(library),
        "QUOTES_SMS": "console",
        "QUOTES_TIMEZONE": zone,
        "SCRIPT_NAME": mounted,  # gunicorn's own way to say so
    }
    with log.open("w") as written:
        command = [sys.executable, "-m", "quotes", "serve"]
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=written, stderr=written)
    try:
        awaited(lambda: "Booting worker" in log.read_text() or process.poll() is not None)
        site = Site(f"http://127.0.0.1:{port}{mounted}", today, corpus, log)
        urllib.request.urlopen(f"{site.url}/daily", timeout=20).close()
        yield site
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="session", autouse=True)
def _only_this_machine_ever() -> None:
    """Block other hosts for the fixtures too that live longer than a test."""
    socket_allow_hosts(["127.0.0.1", "::1"], allow_unix_socket=True)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return the service at a root."""
    with served(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return Chromium, running."""
    if CHROMIUM is None:
        pytest.fail("The tests in a browser need Chromium: install it with `apt-get install chromium`.", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OFFLINE)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Return what opens a page; whatever happens on it, it may complain of nothing and ask nobody else."""
    visits: list[tuple[str, Visit]] = []
    contexts: list[BrowserContext] = []

    def open_page(url: str, size: str = "wide", **options: Any) -> Visit:
        width, height = SIZES[size]
        script, withheld = options.pop("script", ""), options.pop("withheld", None)
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        context.set_default_timeout(10_000)
        context.add_init_script(WATCHING + ";" + script)
        if withheld:
            context.route(withheld, lambda route: route.fulfill(body=""))
        visit = Visit(context.new_page())
        visit.page.on("request", lambda request: visit.requests.append(request.url))
        visit.page.on("console", lambda message: visit.complaints.append(message.text))
        visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        visits.append((url, visit))
        visit.page.goto(url)
        return visit

    yield open_page
    for context in contexts:
        context.close()
    for url, visit in visits:
        own = re.match(r"https?://[^/]+/", url)
        assert own
        assert [address for address in visit.requests if not address.startswith((own[0], "data:"))] == []
        assert visit.complaints == []
