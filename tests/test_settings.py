"""The settings: every variable, its default, and how a bad value is refused."""

import ast
import dataclasses
import datetime as dt
import traceback
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import quotes
from quotes.errors import SettingError
from quotes.settings import Instance, Role, Settings

PACKAGE = Path(quotes.__file__).parent


def test_an_empty_environment_gives_the_defaults():
    assert dataclasses.asdict(Settings.from_environ({})) == {
        "upstream_endpoint": None,
        "upstream_key": "",
        "database_url": "sqlite:///quotes.db",
        "timezone": dt.UTC,
        "corpus": None,
        "public_url": None,
        "sms": "console",
        "otp_secret": "",
        "sms_topic": "DailyQuoteSubscription",
        "sms_region": "us-east-1",
        "sms_countries": frozenset(),
        "task_service": "lambda",
        "task_function": None,
        "task_region": None,
        "jwt_key": "",
        "jwt_algorithm": "HS256",
        "jwt_audience": None,
        "jwt_issuer": None,
        "alert_topic": "UnhandledException",
        "diagnostics": False,
        "log_level": "INFO",
        "port": 8000,
        "host": "127.0.0.1",
        "on_lambda": False,
    }


def test_every_setting_is_read_from_its_variable(tmp_path: Path):
    corpus = tmp_path / "corpus.jsonl"
    corpus.touch()

    settings = Settings.from_environ(
        {
            "Mashape_API_Endpoint": "https://andruxnet.p.rapidapi.com/",
            "X_Mashape_Key": "key",
            "DATABASE_URL": "sqlite:////srv/quotes.db",
            "QUOTES_TIMEZONE": "Asia/Kolkata",
            "QUOTES_CORPUS": str(corpus),
            "QUOTES_PUBLIC_URL": "https://quotes.example.org/dev/",
            "QUOTES_SMS": "console",
            "QUOTES_OTP_SECRET": "0123456789abcdef" * 2,
            "QUOTES_SMS_TOPIC": "Quotes_by-text",
            "QUOTES_SMS_REGION": "ap-south-1",
            "QUOTES_SMS_COUNTRIES": "in, US",
            "QUOTES_TASK_SERVICE": "sns",
            "QUOTES_TASK_FUNCTION": "quotes-tasks",
            "QUOTES_TASK_REGION": "us-gov-west-1",
            "QUOTES_JWT_KEY": "fedcba9876543210" * 2,
            "QUOTES_JWT_ALGORITHM": "HS256",
            "QUOTES_JWT_AUDIENCE": "quotes",
            "QUOTES_JWT_ISSUER": "https://login.example.org/",
            "QUOTES_ALERT_TOPIC": "Alerts",
            "QUOTES_DIAGNOSTICS": "1",
            "LOG_LEVEL": "debug",
            "PORT": "9000",
            "HOST": "0.0.0.0",
            "AWS_LAMBDA_FUNCTION_NAME": "quotes-dev",
            "PATH": "/usr/bin",
        }
    )

    assert settings == Settings(
        upstream_endpoint="https://andruxnet.p.rapidapi.com/",
        upstream_key="key",
        database_url="sqlite:////srv/quotes.db",
        timezone=ZoneInfo("Asia/Kolkata"),
        corpus=corpus,
        public_url="https://quotes.example.org/dev",
        sms="console",
        otp_secret="0123456789abcdef0123456789abcdef",
        sms_topic="Quotes_by-text",
        sms_region="ap-south-1",
        sms_countries=frozenset({"IN", "US"}),
        task_service="sns",
        task_function="quotes-tasks",
        task_region="us-gov-west-1",
        jwt_key="fedcba9876543210fedcba9876543210",
        jwt_algorithm="HS256",
        jwt_audience="quotes",
        jwt_issuer="https://login.example.org/",
        alert_topic="Alerts",
        diagnostics=True,
        log_level="DEBUG",
        port=9000,
        host="0.0.0.0",
        on_lambda=True,
    )


def test_an_empty_variable_counts_as_not_set():
    variables = [field.metadata["variable"] for field in dataclasses.fields(Settings) if field.metadata]

    assert Settings.from_environ(dict.fromkeys(variables, " ")) == Settings()


def test_on_lambda_the_database_lies_where_it_can_be_written():
    settings = Settings.from_environ({"AWS_LAMBDA_FUNCTION_NAME": "quotes-dev"})

    assert settings == Settings(database_url="sqlite:////tmp/quotes.db", sms="sns", on_lambda=True)


def test_sending_texts_needs_a_secret():
    with pytest.raises(SettingError) as refusal:
        Settings.from_environ({"QUOTES_SMS": "sns"})

    assert str(refusal.value) == ("QUOTES_OTP_SECRET: is not set, but QUOTES_SMS=sns needs it: `openssl rand -hex 32`")


def test_a_secret_is_told_neither_when_it_is_refused_nor_by_the_settings():
    with pytest.raises(SettingError) as refusal:
        Settings.from_environ({"QUOTES_OTP_SECRET": "s3cret"})
    settings = Settings.from_environ({"QUOTES_OTP_SECRET": "s3cret" * 6})

    assert "s3cret" not in f"{refusal.value} {settings!r}"


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///quotes.db",
        "sqlite:////srv/my%20quotes.db",
        "s3://bucket/state/quotes.db",
        "postgresql://localhost/quotes",
        "postgresql://quotes:pass%2Fword@db.example.org:5433/quotes?sslmode=require",
        "postgresql:///quotes?host=/run/postgresql",
        "cockroachdb://root@127.0.0.1:26257/quotes",
    ],
)
def test_a_usable_database_url_is_taken_as_it_is(url: str):
    assert Settings.from_environ({"DATABASE_URL": url}).database_url == url


SHORT = "needs at least 32 characters, such as `openssl rand -hex 32` prints"
NO_REGION = "is not a region of AWS such as us-east-1"
NO_ASCII = "holds characters other than printable ASCII"
NO_URL = "is not an http:// or https:// URL"
NO_SCHEME = "starts with none of sqlite://, s3://, postgresql://, cockroachdb://"
NO_FILE = "needs a file: sqlite:///quotes.db (relative) or sqlite:////srv/quotes.db (absolute)"
NO_KEY = "needs a bucket and a key: s3://bucket/quotes.db"
NO_HOST_NAME = "is not an address or the name of a host, such as 127.0.0.1, ::1 or localhost"
NO_HOST = "needs a host and a database name: postgresql://user:password@host/name"


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("Mashape_API_Endpoint", "example.org", NO_URL),
        ("Mashape_API_Endpoint", "ftp://example.org/", NO_URL),
        ("Mashape_API_Endpoint", "https:///quotes", NO_URL),
        ("Mashape_API_Endpoint", "https://exämple.org/", NO_ASCII),
        ("Mashape_API_Endpoint", "https://example.org /", NO_URL),
        ("X_Mashape_Key", "k\ney", NO_ASCII),
        ("X_Mashape_Key", "schlüssel", NO_ASCII),
        ("DATABASE_URL", "quotes.db", NO_SCHEME),
        ("DATABASE_URL", "mysql://localhost/quotes", NO_SCHEME),
        ("DATABASE_URL", "sqlite:///", NO_FILE),
        ("DATABASE_URL", "sqlite://", NO_FILE),
        ("DATABASE_URL", "sqlite:///:memory:", NO_FILE),
        ("DATABASE_URL", "sqlite:///a%00b", "holds a NUL"),
        ("DATABASE_URL", "postgresql://localhost/a%00b", "holds a NUL"),
        ("DATABASE_URL", "sqlite://quotes.db", NO_FILE),
        ("DATABASE_URL", "s3://bucket", NO_KEY),
        ("DATABASE_URL", "s3:///quotes.db", NO_KEY),
        ("DATABASE_URL", "postgresql:///quotes", NO_HOST),
        ("DATABASE_URL", "postgresql://localhost", NO_HOST),
        ("QUOTES_TIMEZONE", "Mars", "'Mars' is not an IANA time zone such as Asia/Kolkata"),
        ("QUOTES_TIMEZONE", "America", "'America' is not an IANA time zone such as Asia/Kolkata"),
        ("QUOTES_TIMEZONE", "../../etc/passwd", "'../../etc/passwd' is not an IANA time zone such as Asia/Kolkata"),
        ("QUOTES_CORPUS", "/nowhere/corpus.jsonl", "there is no file /nowhere/corpus.jsonl"),
        ("QUOTES_CORPUS", "corpus.txt", "is neither a .jsonl file nor a .sqlite3 file built from one"),
        ("QUOTES_PUBLIC_URL", "quotes.example.org", NO_URL),
        (
            "QUOTES_PUBLIC_URL",
            "https://quotes.example.org/?a=b",
            "ends with a query or a fragment; it is where the paths are appended",
        ),
        ("QUOTES_SMS", "SNS", "is none of console, sns"),
        ("QUOTES_OTP_SECRET", "x" * 31, SHORT),
        ("QUOTES_OTP_SECRET", "ä" * 32, NO_ASCII),
        ("QUOTES_SMS_TOPIC", "my topic", "is not a name of a topic: letters, digits, - and _"),
        ("QUOTES_SMS_TOPIC", "topic.fifo", "is not a name of a topic: letters, digits, - and _"),
        ("QUOTES_SMS_REGION", "Mumbai", NO_REGION),
        ("QUOTES_SMS_COUNTRIES", "India", "'INDIA' is not an ISO 3166-1 code; write them like IN,US,GB"),
        ("QUOTES_SMS_COUNTRIES", "IN,UK", "'UK' is not an ISO 3166-1 code; write them like IN,US,GB"),
        ("QUOTES_SMS_COUNTRIES", "IN,", "'' is not an ISO 3166-1 code; write them like IN,US,GB"),
        ("QUOTES_TASK_SERVICE", "sqs", "is none of lambda, sns"),
        ("QUOTES_TASK_FUNCTION", "my function", "is not a name of a Lambda function, or its ARN"),
        ("QUOTES_TASK_REGION", "us-east", NO_REGION),
        ("LOG_LEVEL", "LOUD", "is none of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
        ("PORT", "0", "is not a port number between 1 and 65535"),
        ("PORT", "65536", "is not a port number between 1 and 65535"),
        ("PORT", "http", "is not a port number between 1 and 65535"),
        ("PORT", "\u0668\u0660", "is not a port number between 1 and 65535"),
        ("HOST", "hôte", NO_HOST_NAME),
        ("HOST", "every interface", NO_HOST_NAME),
        ("HOST", "http://localhost", NO_HOST_NAME),
        ("HOST", "127.0.0.1:80", NO_HOST_NAME),
        ("HOST", "unix:/run/socket", NO_HOST_NAME),
        ("HOST", "[127.0.0.1", NO_HOST_NAME),
    ],
)
def test_a_bad_value_is_refused_with_a_line_that_names_the_variable(variable: str, value: str, reason: str):
    with pytest.raises(SettingError) as refusal:
        Settings.from_environ({variable: value})

    assert (refusal.value.name, str(refusal.value)) == (variable, f"{variable}: {reason}")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://quotes:s3cret/word@127.0.0.1/quotes",
        "postgresql://quotes:s3cret@127.0.0.1:http/quotes",
        "postgresql://quotes:s3cret@127.0.0.1:99999/quotes",
        "postgresql://quotes:s3cret#word@127.0.0.1/quotes",
        "postgresql://quotes:[s3cret]@127.0.0.1/quotes",
        "postgresql://quotes:s3cret\N{ACCOUNT OF}@127.0.0.1/quotes",
        "postgres://quotes:s3cret@127.0.0.1/quotes",
    ],
)
def test_an_unusable_database_url_is_refused_without_telling_its_password(url: str):
    with pytest.raises(SettingError, match=r"^DATABASE_URL: ") as refusal:
        Settings.from_environ({"DATABASE_URL": url})

    assert "s3cret" not in "".join(traceback.format_exception(refusal.value))


@pytest.mark.parametrize(
    ("value", "host"),
    [("0.0.0.0", "0.0.0.0"), ("localhost", "localhost"), ("::1", "[::1]"), ("[::]", "[::]")],
)
def test_an_address_of_ipv6_is_made_ready_for_a_port(value: str, host: str):
    assert Settings.from_environ({"HOST": value}).host == host


def test_an_upstream_s_port_must_be_a_number():
    with pytest.raises(SettingError, match=r"^Mashape_API_Endpoint: "):
        Settings.from_environ({"Mashape_API_Endpoint": "http://127.0.0.1:http/"})


def test_the_settings_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().port = 9000  # type: ignore[misc]


def test_a_function_that_is_told_no_role_has_none():
    told = {
        "AWS_LAMBDA_FUNCTION_NAME": "quotes-dev",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
        "AWS_REGION": "eu-west-1",
    }

    assert Role.of_function(told) == Role("key", "secret", "token", "eu-west-1")
    for name in told:
        assert Role.of_function({other: value for other, value in told.items() if other != name}) is None


def test_an_instance_knows_what_no_message_may_hold():
    environ = {
        "AWS_LAMBDA_FUNCTION_NAME": "quotes-dev",
        "DATABASE_URL": "postgresql://me:a%2Fb@host/quotes?sslmode=require&sslpassword=c%20d",
        "Mashape_API_Endpoint": "https://example.org/?apikey=e&count=10",
        "X_Mashape_Key": "f",
    }
    instance = Instance.of_function(environ)

    assert instance is not None
    urls = {environ["DATABASE_URL"], environ["Mashape_API_Endpoint"]}
    assert set(instance.secrets) == urls | {"a%2Fb", "a/b", "c d", "e", "f"}
    assert "a/b" not in repr(instance)


def test_every_setting_says_what_it_is_for():
    assert all(field.metadata["help"] for field in dataclasses.fields(Settings) if field.name != "on_lambda")


def test_nothing_else_reads_the_environment():
    readers = set()
    for path in PACKAGE.rglob("*.py"):
        nodes = [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Attribute)]
        written = {id(node.value) for node in nodes if node.attr == "update"}  # as Lambda's init phase does
        if any(node.attr in ("environ", "environb", "getenv") and id(node) not in written for node in nodes):
            readers.add(path.name)

    assert readers == {"settings.py"}
