"""What midnight starts, and two o'clock."""

import datetime as dt
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from falcon import testing

from quotes.errors import SettingError, StateUnavailable
from quotes.quote import Quote
from quotes.resources import create_api
from quotes.schedulers import publish_quote_of_the_day, set_quote_of_the_day
from quotes.settings import Settings
from quotes.sms import daily_text

EVENT = {"source": "aws.events", "detail-type": "Scheduled Event", "time": "2026-11-21T00:00:00Z"}


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/quotes.db")
    return monkeypatch


def record(folder: Path) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(folder / "quotes.db")) as db:
        return db.execute(
            "SELECT quote, author, category, source, quote_id, day, stored_at FROM daily_quote"
        ).fetchall()


def test_midnight_puts_the_quote_on_record_that_every_request_then_gets(tmp_path: Path):
    set_quote_of_the_day(EVENT, None)

    answer = testing.TestClient(create_api(Settings.from_environ())).simulate_get("/daily")

    assert [tuple(answer.json.values())] == [row[:-1] for row in record(tmp_path)]


def test_a_repeated_event_changes_nothing(tmp_path: Path):
    set_quote_of_the_day(EVENT, None)
    before = record(tmp_path)

    set_quote_of_the_day(EVENT, None)

    assert record(tmp_path) == before


def test_a_late_event_leaves_what_was_served_already(tmp_path: Path):
    served = testing.TestClient(create_api(Settings.from_environ())).simulate_get("/daily").json

    set_quote_of_the_day(EVENT, None)

    assert [row[:-1] for row in record(tmp_path)] == [tuple(served.values())]


def test_an_event_that_could_not_be_recorded_fails_so_that_it_is_tried_again(
    environ: pytest.MonkeyPatch, tmp_path: Path
):
    environ.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/no/such/folder/quotes.db")

    with pytest.raises(StateUnavailable, match=r"^The quote of \d{4}-\d\d-\d\d is not on record yet\.$"):
        set_quote_of_the_day(EVENT, None)


def test_midnight_removes_old_rows(tmp_path: Path):
    testing.TestClient(create_api(Settings.from_environ())).simulate_get(
        "/subscribe", params={"mobile": "919028012345"}
    )
    with closing(sqlite3.connect(tmp_path / "quotes.db")) as db:
        [(asked_at,)] = db.execute("SELECT asked_at FROM one_time_password").fetchall()
        yesterday = dt.datetime.fromisoformat(asked_at) - dt.timedelta(days=1)
        db.execute("INSERT INTO one_time_password SELECT 'old', number, purpose, ?, 0, NULL, NULL, 0, NULL "
            "FROM one_time_password", (str(yesterday),))  # fmt: skip
        db.commit()

        set_quote_of_the_day(EVENT, None)

        assert db.execute("SELECT asked_at FROM one_time_password").fetchall() == [(asked_at,)]


def test_two_o_clock_publishes_the_quote_on_record_once(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    publish_quote_of_the_day(EVENT, None)
    publish_quote_of_the_day(EVENT, None)

    texts = [message for message in caplog.messages if message.startswith("[SMS ")]
    [row] = record(tmp_path)
    assert texts == [f"[SMS to everybody who is subscribed] {daily_text(Quote(*row[:5]))}"]


def test_what_could_not_be_published_fails_so_that_it_is_tried_again(environ: pytest.MonkeyPatch, tmp_path: Path):
    environ.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/no/such/folder/quotes.db")

    with pytest.raises(StateUnavailable, match=r"^The quote of \d{4}-\d\d-\d\d is not on record yet\.$"):
        publish_quote_of_the_day(EVENT, None)


def test_an_event_with_a_bad_setting_fails_and_names_it(environ: pytest.MonkeyPatch):
    environ.setenv("QUOTES_TIMEZONE", "Mars")

    with pytest.raises(SettingError, match=r"^QUOTES_TIMEZONE: "):
        set_quote_of_the_day(EVENT, None)
