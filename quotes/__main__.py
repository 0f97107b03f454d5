"""The command line: `python -m quotes serve|today|random|search|import|export|state|token|check`."""

import argparse
import io
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from quotes import __version__, parameters, tokens
from quotes.corpus import EMBEDDED
from quotes.database import Database, open_database
from quotes.errors import CorpusError, ParameterError, QuotesError, SettingError, TokenError
from quotes.parameters import MOST_AT_ONCE
from quotes.representations import TEXT, represent, represent_many
from quotes.service import Service
from quotes.setting_values import database_url
from quotes.settings import OWN_LIBRARY, Settings

LONGEST_TOKEN = 366 * 24 * 60 * 60  # seconds

EXAMPLES = """\
examples:
  python -m quotes serve                    answer on http://127.0.0.1:8000
  PORT=9000 python -m quotes serve          the same on another port
  python -m quotes today                    print the quote of the day
  python -m quotes random --category love   print a random quote about love
  python -m quotes random --count 3 --max-length 80
  python -m quotes search true friend       print what contains both words
  python -m quotes import quotes.csv        add your own quotes to library.jsonl
  python -m quotes export mine.csv          write the whole library to a file
  python -m quotes state copy sqlite:///quotes.db s3://bucket/quotes.db
  python -m quotes token --subject alice    print a bearer token for a stage with an authorizer
  python -m quotes check                    say what is wrong and how to fix it
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The command line without the program's name, by default that of the process.

    Returns:
        The exit status: 0, or 1 where something is wrong; a line on standard error says what.
    """
    options = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without dashes gets question marks, and the rest
    try:
        settings = Settings.from_environ(is_corpus_made=options.run is _import)
        run: Callable[[Settings, argparse.Namespace], int] = options.run
        status = run(settings, options)
        sys.stdout.flush()  # here, where a pipe that is broken is known
    except BrokenPipeError:  # who reads has enough, as `head` does; Python would complain once more at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except QuotesError as error:
        print(f"quotes: {error}", file=sys.stderr)
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m quotes",
        description="A quote of the day, and random quotes, each with its source.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(metavar="command", required=True)

    def add(name: str, meaning: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=meaning, description=f"{meaning[0].upper()}{meaning[1:]}.")

    serve = add("serve", "answer over HTTP at HOST and PORT (environment variables; 127.0.0.1 and 8000)")
    serve.set_defaults(run=_serve)

    today = add("today", "print the quote of the day")
    today.set_defaults(run=_today)

    random = add("random", "print random quotes")
    random.add_argument("--author", help="only by this author")
    random.add_argument("--category", help="only in this category")
    random.add_argument("--min-length", metavar="N", help="only of at least N characters")
    random.add_argument("--max-length", metavar="N", help="only of at most N characters")
    random.add_argument("--count", metavar="N", help=f"how many, 1 to {MOST_AT_ONCE} (default: 1)")
    random.set_defaults(run=_random)

    search = add("search", "print the quotes in the library that contain all the given words")
    search.add_argument(
        "words", metavar="WORD", nargs="+", help="the last may be the start of a word; '\"to be\"' is a phrase"
    )
    search.add_argument("--author", help="only by this author")
    search.add_argument("--category", help="only in this category")
    search.add_argument("--limit", metavar="N", help="how many at most, 1 to 100 (default: 20)")
    search.set_defaults(run=_search)

    importing = add("import", "add your own quotes, from JSON, JSON lines, CSV, TSV or fortune files")
    importing.add_argument("files", metavar="FILE", nargs="+", type=Path)
    importing.add_argument(
        "--format",
        choices=("json", "csv", "tsv", "fortune"),
        help="of the files; default: recognized from their contents",
    )
    importing.add_argument(
        "--map", metavar="OURS=THEIRS,…", default="", help="names of the fields, such as quote=text,author=by"
    )
    importing.add_argument(
        "--author", metavar="NAME", default="", help="for quotes without one, which are refused otherwise"
    )
    importing.add_argument(
        "--category", metavar="NAME", default="General", help="for quotes without one (default: %(default)s)"
    )
    importing.add_argument("--replace", action="store_true", help="drop the quotes the library has now")
    importing.add_argument("--dry-run", action="store_true", help="only report what would happen")
    importing.set_defaults(run=_import)

    export = add("export", "write the whole library to a file, to be imported elsewhere")
    export.add_argument("file", metavar="FILE", nargs="?", type=Path, help="default: standard output")
    export.add_argument(
        "--format", choices=("jsonl", "json", "csv", "tsv"), help="default: from the file's name, else jsonl"
    )
    export.set_defaults(run=_export)

    state = add("state", "move what is stored to another kind of database")
    actions = state.add_subparsers(metavar="action", required=True)
    copy = actions.add_parser(
        "copy", help="copy every row FROM one database TO another; rows already there stay as they are"
    )
    copy.add_argument("source", metavar="FROM", help="a DATABASE_URL")
    copy.add_argument("target", metavar="TO", help="a DATABASE_URL")
    copy.set_defaults(run=_copy)

    token = add("token", "print a bearer token that the authorizer accepts, for testing")
    token.add_argument("--subject", metavar="S", default="test", help="whom it is for (default: %(default)s)")
    token.add_argument(
        "--expires", metavar="SECONDS", default="3600", help="in how many seconds (default: %(default)s)"
    )
    token.add_argument("--key", metavar="FILE", type=Path, help="private key in PEM; needed for RS256 and ES256")
    token.set_defaults(run=_token)

    check = add("check", "check the settings, library, database and upstream, and say how to fix what is wrong")
    check.set_defaults(run=_check)
    return parser


def _serve(settings: Settings, options: argparse.Namespace) -> int:
    from gunicorn.app.base import BaseApplication

    from quotes import server

    # Others' debug lines stay off: botocore's hold session tokens.
    level = logging.getLevelNamesMapping()[settings.log_level]
    logging.basicConfig(level=max(level, logging.INFO), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    _look_into_corpus(settings)

    class Server(BaseApplication):
        def load_config(self) -> None:
            self.cfg.set("bind", f"{settings.host}:{settings.port}")
            for name in vars(server).keys() & self.cfg.settings.keys():
                self.cfg.set(name, getattr(server, name))

        def load(self) -> Any:
            from quotes.resources import create_api

            return create_api(settings)

    Server().run()
    return 0


def _look_into_corpus(settings: Settings) -> None:
    """Build the corpus where that is needed and read from it, before the workers do."""
    try:
        Service.of(settings).corpus.random()
    except CorpusError as error:
        raise SettingError("QUOTES_CORPUS", str(error)) if settings.corpus else error from error


def _today(settings: Settings, options: argparse.Namespace) -> int:
    sys.stdout.write(represent(TEXT, Service.of(settings).daily.quote_of_today().quote).decode())
    return 0


def _random(settings: Settings, options: argparse.Namespace) -> int:
    given = {name: value for name, value in vars(options).items() if isinstance(value, str)}
    for name, value in given.items():
        if not value.strip():
            raise ParameterError(name, "is empty")
    quotes = Service.of(settings).random(parameters.count(given) or 1, parameters.filters(given))
    if not quotes:
        print("quotes: no quote matches.", file=sys.stderr)
        return 1
    sys.stdout.write(represent_many(TEXT, quotes).decode())
    return 0


def _search(settings: Settings, options: argparse.Namespace) -> int:
    from quotes.search import Query

    given = {name: value for name, value in vars(options).items() if isinstance(value, str)}
    for name, value in given.items():
        if not value.strip():
            raise ParameterError(name, "is empty")
    query = Query(" ".join(options.words), options.author, options.category)
    page = Service.of(settings).library.search(query, parameters.integer(given, "limit", 1, 100) or 20)
    if not page.quotes:
        print("quotes: no quote matches.", file=sys.stderr)
        return 1
    sys.stdout.write(represent_many(TEXT, page.quotes).decode())
    return 0


def _import(settings: Settings, options: argparse.Namespace) -> int:
    from quotes.importing.fields import Fields, parse_map
    from quotes.importing.run import import_files

    fields = Fields(parse_map(options.map), options.author, options.category)
    library = settings.corpus or Path(OWN_LIBRARY)
    before = _file_number(library)
    ended = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # tidies up, as at Ctrl-C
    try:
        import_files(
            options.files,
            library,
            fields,
            form=options.format,
            is_replacing=options.replace,
            is_dry=options.dry_run,
        )
    except KeyboardInterrupt:
        became = "as it was" if _file_number(library) == before else "the new one"
        print(f"quotes: stopped; the library is {became}.", file=sys.stderr)
        return 130  # as a shell says of what Ctrl-C ended
    finally:
        signal.signal(signal.SIGTERM, ended)
    return 0


def _file_number(path: Path) -> int | None:
    return path.stat().st_ino if path.exists() else None


def _export(settings: Settings, options: argparse.Namespace) -> int:
    from quotes.importing.run import export

    export(settings.corpus or EMBEDDED, options.format, options.file)
    return 0


def _copy(settings: Settings, options: argparse.Namespace) -> int:
    from quotes.models import copy_state

    source, target = (_named_database(name, url) for name, url in (("FROM", options.source), ("TO", options.target)))
    rows, new = copy_state(source, target)
    print(f"{rows} rows read, {new} of them new in the target; {rows - new} were there already and stay as they were.")
    return 0


def _named_database(name: str, url: str) -> Database:
    try:
        return open_database(database_url(url))
    except ValueError as error:
        raise SettingError(name, str(error)) from error


def _token(settings: Settings, options: argparse.Namespace) -> int:
    expires = parameters.integer({"expires": options.expires}, "expires", 1, LONGEST_TOKEN)
    is_secret = settings.jwt_algorithm == "HS256"
    if is_secret and options.key:
        raise TokenError("--key is for RS256 and ES256, and QUOTES_JWT_ALGORITHM is HS256")
    if not is_secret and not options.key:
        raise TokenError(f"QUOTES_JWT_ALGORITHM is {settings.jwt_algorithm}, so --key has to name the private key")
    try:
        key = options.key.read_text(encoding="ascii") if options.key else None
    except (OSError, ValueError) as error:
        raise TokenError(f"{options.key} cannot be read: {getattr(error, 'strerror', 'it is no PEM')}") from error
    print(tokens.made(settings, options.subject, expires or 1, key))
    return 0


def _check(settings: Settings, options: argparse.Namespace) -> int:
    from quotes.check import findings

    is_all_well = True
    for name, is_well, text in findings(settings):
        print(f"{'ok   ' if is_well else 'WRONG'}  {name:<9} {text}")
        is_all_well &= is_well
    return 0 if is_all_well else 1


if __name__ == "__main__":
    sys.exit(main())
