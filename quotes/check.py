"""Check settings, library, database and upstream: what `python -m quotes check` reports."""

from collections.abc import Iterator
from typing import NamedTuple

from quotes.errors import QuotesError, StateUnavailable
from quotes.service import Service
from quotes.settings import Settings, unknown

_DATABASE_HINT = (
    "Look at DATABASE_URL: a SQLite file needs a folder that exists and can be written, a server or S3 has to be "
    "reachable with the credentials given."
)


class Finding(NamedTuple):
    """Hold what was found.

    Attributes:
        name: The part that was checked.
        is_well: Whether it works.
        text: What it is, or what is wrong and how to fix it.
    """

    name: str
    is_well: bool
    text: str


def findings(settings: Settings) -> Iterator[Finding]:
    """Check each part and yield what was found.

    Args:
        settings: The settings, which were usable.
    """
    service = Service.of(settings)
    yield _settings()
    yield _corpus(service)
    yield _database(service)
    yield _upstream(service)


def _settings() -> Finding:
    names = ", ".join(unknown())
    return Finding("settings", True, f"every value is usable{f'; there is no setting called {names}' if names else ''}")


def _corpus(service: Service) -> Finding:
    try:
        return Finding("corpus", True, f"{service.corpus.size} quotes")
    except QuotesError as error:
        return Finding("corpus", False, str(error))


def _database(service: Service) -> Finding:
    database = service.database
    try:
        today = "on record" if service.daily.is_stored(service.daily.today()) else "not decided yet"
    except StateUnavailable as error:
        return Finding("database", False, f"{str(error).rstrip('.')}. {_DATABASE_HINT}")
    return Finding("database", True, f"{database.kind}: {database.meaning}; today's quote is {today}")


def _upstream(service: Service) -> Finding:
    if service.upstream is None:
        return Finding("upstream", True, "none set (Mashape_API_Endpoint): the corpus answers")
    if service.upstream.random():
        return Finding("upstream", True, "it answers")
    reason = f"{service.upstream.error}. The corpus answers meanwhile; look at Mashape_API_Endpoint and X_Mashape_Key."
    return Finding("upstream", False, reason)
