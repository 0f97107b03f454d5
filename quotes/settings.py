"""Settings: the only reader of the environment, each variable with its default, its check and its help.

Nothing here connects to anything. AWS credentials are no settings of ours: boto3's own chain supplies them.
"""

import datetime as dt
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from quotes import setting_values, token_key
from quotes.errors import SettingError

OWN_LIBRARY = "library.jsonl"  # in the working directory; the corpus where it is there and no other is named
SMS = ("console", "sns")
TASK_SERVICES = ("lambda", "sns")


@dataclass(frozen=True)
class Role:
    """Hold what Lambda tells a function of its role: the temporary credentials that boto3's chain would find first.

    Attributes:
        access_key_id: Names the credentials.
        secret_access_key: Signs.
        session_token: Goes with each request.
        region: Of the function.
        endpoint: Another S3, as boto3 understands it; empty for AWS's own.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    region: str
    endpoint: str = ""

    @classmethod
    def of_function(cls, environ: Mapping[str, str] = os.environ) -> "Role | None":
        """Return the role of the Lambda function that this process is, None where it is none or is told no role."""
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION")
        if "AWS_LAMBDA_FUNCTION_NAME" not in environ or not all(environ.get(name) for name in names):
            return None
        endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL") or ""
        key, secret, token, region = (environ[name] for name in names)
        return cls(key, secret, token, region, endpoint)


@dataclass(frozen=True)
class Instance:
    """Hold what an instance of the function knows of itself, even where its settings are not usable.

    Attributes:
        function: The function's name.
        region: Its region.
        stage: The stage's name.
        alert_topic: The name of the topic that unhandled exceptions go to.
        secrets: Values that no message may hold.
    """

    function: str
    region: str
    stage: str
    alert_topic: str
    secrets: tuple[str, ...] = field(repr=False)

    @classmethod
    def of_function(cls, environ: Mapping[str, str] = os.environ) -> "Instance | None":
        """Return the instance of a Lambda function that this process is, None where it is none."""
        function = environ.get("AWS_LAMBDA_FUNCTION_NAME")
        if not function:
            return None
        try:
            topic = setting_values.topic(environ.get("QUOTES_ALERT_TOPIC", "").strip() or Settings.alert_topic)
        except ValueError:
            topic = Settings.alert_topic  # which is what will be told
        values = {environ.get(name, "").strip() for name in SECRETS}
        passwords = {environ.get(name, "").partition("://")[2].rpartition("@")[0].partition(":")[2] for name in SECRETS}
        queries = [parse_qsl(environ.get(name, "").partition("?")[2]) for name in SECRETS]
        in_queries = {value for query in queries for name, value in query if _NAMES_A_SECRET.search(name)}
        secrets = values | passwords | {unquote(password) for password in passwords} | in_queries
        region = environ.get("AWS_REGION") or "us-east-1"
        return cls(function, region, environ.get("STAGE") or function, topic, tuple(sorted(secrets - {""})))


_NAMES_A_SECRET = re.compile("key|pass|pwd|secret|token", re.IGNORECASE)
SECRETS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "DATABASE_URL",
    "Mashape_API_Endpoint",
    "QUOTES_JWT_KEY",
    "QUOTES_OTP_SECRET",
    "X_Mashape_Key",
)


def trace_id(environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the id of the trace that Lambda is in the middle of (AWS X-Ray developer guide, "Tracing header")."""
    found = re.search(r"\bRoot=(1-[0-9a-f]{8}-[0-9a-f]{24})\b", environ.get("_X_AMZN_TRACE_ID", ""))
    return found[1] if found else None


def _setting(
    variable: str, default: Any, parse: Callable[[str], Any], help_text: str, *, is_secret: bool = False
) -> Any:
    metadata = {"variable": variable, "parse": parse, "help": help_text}
    return field(default=default, metadata=metadata, repr=not is_secret)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Hold every setting, read once; `Settings.from_environ()` reads and checks them."""

    upstream_endpoint: str | None = _setting(
        "Mashape_API_Endpoint",
        None,
        setting_values.http_url,
        "URL of the upstream quote API; without it the corpus answers",
    )
    upstream_key: str = _setting("X_Mashape_Key", "", setting_values.text, "key sent to the upstream as X-Mashape-Key")
    database_url: str = _setting(
        "DATABASE_URL",
        "sqlite:///quotes.db",
        setting_values.database_url,
        "where the served days are kept: sqlite:///path, s3://bucket/key, postgresql://… or cockroachdb://…",
    )
    timezone: dt.tzinfo = _setting(
        "QUOTES_TIMEZONE", dt.UTC, setting_values.timezone, "IANA time zone whose midnight starts a day"
    )
    corpus: Path | None = _setting(
        "QUOTES_CORPUS",
        None,
        setting_values.corpus,
        "another corpus: a .jsonl file, or the .sqlite3 file built from one",
    )
    public_url: str | None = _setting(
        "QUOTES_PUBLIC_URL",
        None,
        setting_values.public_url,
        "URL that this service is reached at; else it is taken from the request",
    )
    sms: str = _setting(
        "QUOTES_SMS",
        "console",
        setting_values.one_of(SMS),
        "console: texts appear in the log; sns: they are sent, the default on Lambda",
    )
    otp_secret: str = _setting(
        "QUOTES_OTP_SECRET",
        "",
        setting_values.secret,
        "key of what is stored of one-time passwords; needed with sns",
        is_secret=True,
    )
    sms_topic: str = _setting(
        "QUOTES_SMS_TOPIC", "DailyQuoteSubscription", setting_values.topic, "name of the topic on SNS"
    )
    sms_region: str = _setting(
        "QUOTES_SMS_REGION", "us-east-1", setting_values.region, "region of AWS that texts are sent from"
    )
    sms_countries: frozenset[str] = _setting(
        "QUOTES_SMS_COUNTRIES",
        frozenset(),
        setting_values.countries,
        "countries whose numbers may subscribe, such as IN,US; default all",
    )
    task_service: str = _setting(
        "QUOTES_TASK_SERVICE",
        "lambda",
        setting_values.one_of(TASK_SERVICES),
        "what carries tasks on Lambda: lambda, or sns",
    )
    task_function: str | None = _setting(
        "QUOTES_TASK_FUNCTION", None, setting_values.function, "another Lambda function that runs the tasks"
    )
    task_region: str | None = _setting("QUOTES_TASK_REGION", None, setting_values.region, "the region of that function")
    jwt_key: str = _setting(
        "QUOTES_JWT_KEY",
        "",
        token_key.parse,
        "key that the authorizer checks tokens with: a secret, or a public key in PEM; without it nobody may",
        is_secret=True,
    )
    jwt_algorithm: str = _setting(
        "QUOTES_JWT_ALGORITHM",
        "HS256",
        setting_values.one_of(token_key.ALGORITHMS),
        "of the tokens: HS256, RS256 or ES256",
    )
    jwt_audience: str | None = _setting(
        "QUOTES_JWT_AUDIENCE", None, setting_values.text, "`aud` that tokens have to have"
    )
    jwt_issuer: str | None = _setting("QUOTES_JWT_ISSUER", None, setting_values.text, "`iss` that tokens have to have")
    alert_topic: str = _setting(
        "QUOTES_ALERT_TOPIC",
        "UnhandledException",
        setting_values.topic,
        "name of the topic on SNS that unhandled exceptions go to",
    )
    diagnostics: bool = _setting(
        "QUOTES_DIAGNOSTICS",
        False,
        setting_values.switch,
        "1: /async-failure starts a task that fails, to see where it ends up",
    )
    log_level: str = _setting("LOG_LEVEL", "INFO", setting_values.log_level, ", ".join(setting_values.LOG_LEVELS))
    port: int = _setting("PORT", 8000, setting_values.port, "port that `serve` listens on")
    host: str = _setting(
        "HOST", "127.0.0.1", setting_values.host, "address that `serve` listens on; 0.0.0.0 for every interface"
    )
    on_lambda: bool = False

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ, *, is_corpus_made: bool = False) -> "Settings":
        """Read the settings from environment variables; an empty variable counts as not set.

        Args:
            environ: The variables, by default those of the process.
            is_corpus_made: The corpus is going to be made, so it may be missing.

        Returns:
            The settings, checked.

        Raises:
            SettingError: A value is not usable; the message names the variable, never a secret's value.
        """
        values: dict[str, Any] = {"on_lambda": "AWS_LAMBDA_FUNCTION_NAME" in environ}
        if values["on_lambda"]:
            # Only /tmp can be written there (AWS Lambda developer guide, "Execution environment").
            values |= {"database_url": "sqlite:////tmp/quotes.db", "sms": "sns"}
        for setting in (setting for setting in fields(cls) if setting.metadata):
            variable, parse = setting.metadata["variable"], setting.metadata["parse"]
            raw = environ.get(variable, "").strip()
            if setting.name == "corpus" and is_corpus_made:
                parse, raw = setting_values.corpus_to_make, raw or OWN_LIBRARY
            elif setting.name == "corpus" and not values["on_lambda"] and Path(OWN_LIBRARY).is_file():
                raw = raw or OWN_LIBRARY
            if raw:
                try:
                    values[setting.name] = parse(raw)
                except ValueError as error:
                    raise SettingError(variable, str(error)) from None
        if environ.get("QUOTES_SMS", "").strip() == "sns" and "otp_secret" not in values:
            raise SettingError("QUOTES_OTP_SECRET", "is not set, but QUOTES_SMS=sns needs it: `openssl rand -hex 32`")
        settings = cls(**values)
        if settings.jwt_key:
            try:
                token_key.check(settings.jwt_key, settings.jwt_algorithm)
            except ValueError as error:
                raise SettingError("QUOTES_JWT_KEY", str(error)) from None
        return settings


def variables() -> set[str]:
    """Return the names of all environment variables that are settings."""
    return {setting.metadata["variable"] for setting in fields(Settings) if setting.metadata}


def unknown(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return the names of variables that look like settings of ours, but are none: most are misspelt.

    They stop nothing: Kubernetes, for one, sets QUOTES_PORT and others beside a service of the name `quotes`.

    Args:
        environ: The variables, by default those of the process.
    """
    ours = ("QUOTES_", "MASHAPE_", "X_MASHAPE_")
    return sorted(name for name in environ.keys() - variables() if name.upper().startswith(ours))
