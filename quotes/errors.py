"""The domain's errors; `problems.py` maps them to HTTP, `__main__.py` to messages and exit codes."""


class QuotesError(Exception):
    """Mark an error that this service raises deliberately; every other one is a defect."""


class SettingError(QuotesError):
    """Report a setting whose value is unusable.

    Args:
        name: The environment variable.
        reason: What is wrong, and what a valid value looks like.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name


class ParameterError(QuotesError):
    """Report an invalid request parameter.

    Args:
        name: The parameter.
        reason: What is wrong, and what a valid value looks like; completes the sentence "The parameter 'name' …".
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"The parameter '{name}' {reason}.")
        self.name = name


class QuoteTypeError(ParameterError):
    """Report a `type` that is neither `daily` nor `random`."""

    def __init__(self) -> None:
        super().__init__("type", "is neither 'daily' nor 'random'")


class Unauthorized(QuotesError):
    """Reject a request; API Gateway answers 401 if its authorizer fails with exactly this message, otherwise 500."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


class TokenError(QuotesError):
    """Report a token that cannot be created.

    Args:
        reason: Why not.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"no token: {reason}.")


class ImportRefused(QuotesError):
    """Abort an import because of an unusable file; nothing is imported.

    Args:
        file: The file, as the user named it.
        reason: What is wrong, and where.
    """

    def __init__(self, file: object, reason: str) -> None:
        super().__init__(f"{file}: {reason}.")


class QuoteNotFound(QuotesError):
    """Report that no quote matches the request."""


class CorpusError(QuotesError):
    """Report that the library of quotes cannot be built or read."""


class SearchUnavailable(QuotesError):
    """Report that this Python's SQLite lacks full-text search."""

    def __init__(self) -> None:
        super().__init__(
            "The library cannot be searched here: the SQLite of this Python has no FTS5. On AWS Lambda, deploy from "
            "Python 3.12 or later."
        )


class StateUnavailable(QuotesError):
    """Report that the database cannot be read or written at the moment."""


class NotSetUp(QuotesError):
    """Report a missing setting without which this feature is off; the message tells the operator which."""


class CodeRefused(QuotesError):
    """Report a one-time password that is wrong or no longer valid, without disclosing which."""


class OptedOut(QuotesError):
    """Report a number whose owner opted out of texts by replying STOP."""


class TooManyCodes(QuotesError):
    """Report that the limit on one-time passwords is reached.

    Args:
        seconds: How long to wait before the next request.
        is_own: True if the number reached its own limit, False if all numbers together reached theirs.
    """

    def __init__(self, seconds: int, *, is_own: bool) -> None:
        who = "This number was" if is_own else "All numbers together were"
        super().__init__(f"{who} sent as many codes as may be sent. Try again in {seconds} seconds.")
        self.seconds = seconds
        self.is_own = is_own


class TextsUnavailable(QuotesError):
    """Report that a text cannot be sent or the topic cannot be changed at the moment; retrying is safe."""


class TextMayBeSent(TextsUnavailable):
    """Report that a request to send got no answer, so the text may or may not have been sent."""


class TaskNotStarted(QuotesError):
    """Report that an asynchronous task was not accepted."""


class DeliberateFailure(QuotesError):
    """Fail deliberately, to exercise the failure path."""

    def __init__(self) -> None:
        super().__init__("This task fails on purpose.")


class PublishedElsewhere(QuotesError):
    """Report that another instance may be publishing the day's text; the event has to be retried later."""


class UpstreamError(QuotesError):
    """Mark a failure of the upstream; the message is safe to log."""


class UpstreamUnreachable(UpstreamError):
    """Report that the connection could not be made, or broke."""


class UpstreamTimeout(UpstreamError):
    """Report that the upstream did not answer within the budget."""


class UpstreamRefused(UpstreamError):
    """Report that the upstream rejects the key (401, 403)."""


class UpstreamLimited(UpstreamError):
    """Report that the quota at the upstream is exhausted (429)."""


class UpstreamFailed(UpstreamError):
    """Report any other status than 200, including redirects."""


class UpstreamRubbish(UpstreamError):
    """Report a response without a usable quote: not JSON, of another shape, or too large."""
