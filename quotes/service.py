"""Wiring: the parts of the service, built from its settings. Every entry point starts here."""

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
    """Group the parts of the service, as built by `Service.of(settings)`; each one is opened on first use."""

    corpus: Corpus
    upstream: Mashape | None
    database: Database
    daily: DailyQuotes
    subscriptions: Subscriptions
    publishing: Publishing

    @classmethod
    def of(cls, settings: Settings) -> "Service":
        """Build the parts that the settings describe."""
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
        """Return the searchable library, which reads the same corpus file."""
        return Library(self.corpus.find)

    def is_corpus_asked(self, filters: Filters) -> bool:
        """Return whether random quotes come from the corpus alone: if there is no upstream, or if filters are set."""
        return self.upstream is None or filters != ANY

    def random(self, count: int = 1, filters: Filters = ANY) -> list[Quote]:
        """Return distinct random quotes from the upstream, topped up from the corpus.

        The upstream does not support filters, so filtered quotes always come from the corpus.

        Args:
            count: The number of quotes wanted.
            filters: Which quotes are eligible.

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
    """Return the path of the built corpus, building it if it is missing or stale; on Lambda it is never built.

    Raises:
        CorpusError: The corpus cannot be built, or is missing on Lambda.
    """
    from quotes.corpus_builder import built_file

    return built_file(settings.corpus or EMBEDDED, may_build=not settings.on_lambda)


def start_task(settings: Settings, task: str, *arguments: str) -> None:
    """Start an asynchronous task, importing Zappa's task machinery only now.

    Raises:
        TaskNotStarted: The task was not accepted.
    """
    from quotes import tasks

    tasks.start(settings, task, *arguments)
