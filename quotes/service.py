"""The service's parts, put together from its settings: what every entry point begins with."""

from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from quotes.corpus import ANY, EMBEDDED, Corpus, Filters
from quotes.daily import DailyQuotes
from quotes.database import Database, open_database
from quotes.mashape import Mashape
from quotes.publishing import Publishing
from quotes.quote import Quote
from quotes.search import Library
from quotes.settings import Settings
from quotes.sns import topic
from quotes.subscriptions import Subscriptions
from quotes.texts import Console, Texts


@dataclass(frozen=True)
class Service:
    """Hold the parts; `Service.of(settings)` makes them. Nothing is opened before it is used."""

    corpus: Corpus
    upstream: Mashape | None
    database: Database
    daily: DailyQuotes
    subscriptions: Subscriptions
    publishing: Publishing

    @classmethod
    def of(cls, settings: Settings) -> "Service":
        """Put the parts together as the settings say."""
        corpus = Corpus(partial(built_corpus, settings))
        upstream = None
        if settings.upstream_endpoint:
            upstream = Mashape(settings.upstream_endpoint, settings.upstream_key)
        database = open_database(settings.database_url, on_lambda=settings.on_lambda)
        daily = DailyQuotes(corpus, upstream, database, settings.timezone)
        texts: Texts = topic(settings.sms_topic, settings.sms_region) if settings.sms == "sns" else Console()
        start = partial(start_task, settings) if settings.on_lambda or settings.task_function else None
        subscriptions = Subscriptions(
            database, texts, start, secret=settings.otp_secret, is_secret_needed=settings.sms == "sns"
        )
        return cls(corpus, upstream, database, daily, subscriptions, Publishing(daily, database, texts, start))

    @cached_property
    def library(self) -> Library:
        """Return what searches the corpus."""
        return Library(self.corpus.find)

    def is_corpus_asked(self, filters: Filters) -> bool:
        """Tell whether random quotes come from the corpus alone: without upstream, and where there are filters."""
        return self.upstream is None or filters != ANY

    def random(self, count: int = 1, filters: Filters = ANY) -> list[Quote]:
        """Return different random quotes: from the upstream, and from the corpus what that cannot give.

        The upstream knows no filters, so filtered quotes are the corpus's.

        Args:
            count: How many are wanted.
            filters: Which may be picked.

        Raises:
            CorpusError: The corpus cannot be read.
        """
        if self.is_corpus_asked(filters):
            return self.corpus.random(count, filters)
        assert self.upstream is not None
        different = {quote.quote: quote for quote in self.upstream.random(count)}
        if len(different) < count:
            for quote in self.corpus.random(count, filters):
                different.setdefault(quote.quote, quote)
        return list(different.values())[:count]


def built_corpus(settings: Settings) -> Path:
    """Return the built corpus that the settings name, making it where it is missing or stale, never on Lambda.

    Raises:
        CorpusError: It cannot be built, or it is missing on Lambda.
    """
    from quotes.corpus_builder import built_file

    return built_file(settings.corpus or EMBEDDED, may_build=not settings.on_lambda)


def start_task(settings: Settings, task: str, *arguments: str) -> None:
    """Start an asynchronous task; what that needs is imported now and not before.

    Raises:
        TaskNotStarted: It was not taken.
    """
    from quotes import tasks

    tasks.start(settings, task, *arguments)
