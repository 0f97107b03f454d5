"""The errors of the domain; `problems.py` says what each becomes in HTTP, `__main__.py` in a shell."""


class QuotesError(Exception):
    """Be the root of every error that this service raises on purpose."""


class SettingError(QuotesError):
    """Report a setting that has a value the service cannot run with.

    Args:
        name: The environment variable.
        reason: What is wrong with it and what a right value looks like.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name


class ParameterError(QuotesError):
    """Report a request parameter that cannot be understood.

    Args:
        name: The parameter.
        reason: What is wrong with it and what a right value looks like.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"The parameter '{name}' {reason}.")
        self.name = name


class QuoteTypeError(ParameterError):
    """Report a `type` that is neither daily nor random."""

    def __init__(self) -> None:
        super().__init__("type", "is neither 'daily' nor 'random'")


class Unauthorized(QuotesError):
    """Refuse a request; API Gateway answers 401 to exactly this message of its authorizer, and 500 to any other."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


class TokenError(QuotesError):
    """Report a token that cannot be made.

    Args:
        reason: Why.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"no token: {reason}.")


class ImportRefused(QuotesError):
    """Stop an import: a file is not what it claims, and nothing of it is taken.

    Args:
        file: The file, as it was named.
        reason: What is wrong, and where.
    """

    def __init__(self, file: object, reason: str) -> None:
        super().__init__(f"{file}: {reason}.")


class QuoteNotFound(QuotesError):
    """Report that no quote answers to what was asked."""


class CorpusError(QuotesError):
    """Report that the library of quotes cannot be built or read."""


class SearchUnavailable(QuotesError):
    """Report that the SQLite here cannot search."""

    def __init__(self) -> None:
        super().__init__(
            "The library cannot be searched here: the SQLite of this Python has no FTS5. On AWS Lambda, deploy from "
            "Python 3.12 or later."
        )


class StateUnavailable(QuotesError):
    """Report that the database cannot be read or written now."""


class NotSetUp(QuotesError):
    """Report what the operator has to set before this can be used; the text says what."""


class CodeRefused(QuotesError):
    """Report a one-time password that is wrong, or not valid any more; which of these is nobody's business."""


class OptedOut(QuotesError):
    """Report a number whose owner forbade texts by replying STOP."""


class TooManyCodes(QuotesError):
    """Report that no more one-time passwords are sent for now.

    Args:
        seconds: When it is worth to ask again.
        is_own: Whether the number had its share; else all numbers together had theirs.
    """

    def __init__(self, seconds: int, *, is_own: bool) -> None:
        who = "This number was" if is_own else "All numbers together were"
        super().__init__(f"{who} sent as many codes as may be sent. Try again in {seconds} seconds.")
        self.seconds = seconds
        self.is_own = is_own


class TextsUnavailable(QuotesError):
    """Report that no text can be sent, or that the topic cannot be changed now; safe to try again."""


class TextMayBeSent(TextsUnavailable):
    """Report that no answer came to a request to send: nobody knows whether the text is on its way."""


class TaskNotStarted(QuotesError):
    """Report that an asynchronous task was not taken."""


class DeliberateFailure(QuotesError):
    """Fail on purpose, so that somebody sees what becomes of a failure."""

    def __init__(self) -> None:
        super().__init__("This task fails on purpose.")


class PublishedElsewhere(QuotesError):
    """Report that another instance is about to publish the day's text, so that the event is tried again later."""


class UpstreamError(QuotesError):
    """Be the root of what can go wrong with the upstream; the text is safe to log."""


class UpstreamUnreachable(UpstreamError):
    """Report that no connection came about, or that it broke."""


class UpstreamTimeout(UpstreamError):
    """Report that the upstream did not answer within the budget."""


class UpstreamRefused(UpstreamError):
    """Report that the upstream does not accept the key (401, 403)."""


class UpstreamLimited(UpstreamError):
    """Report that the upstream's quota is used up (429)."""


class UpstreamFailed(UpstreamError):
    """Report any other status than 200, redirects among them."""


class UpstreamRubbish(UpstreamError):
    """Report an answer that holds no quote: not JSON, another shape, or too large."""
