"""`make bench`: this service compared with a minimal and a naive one, in one run on one machine."""

import argparse
import contextlib
import datetime as dt
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from bench import cold, library, picks, report, state
from bench.servers import ROOT, SERVERS, BenchError, get, requests_per_second, running, wrk_version

DAILY, RANDOM = "/quote?type=daily", "/quote?type=random"
FILTERED = f"{RANDOM}&category=wisdom&max_length=120"
CONSTANT, NAIVE, OURS = "bench.constant", "bench.naive:api", "quotes.resources:api"


class Case(NamedTuple):
    """A measured request to an application. `upstream` gives ours an upstream."""

    letter: str
    text: str
    app: str
    path: str
    upstream: bool = False


CASES = (
    Case("a", "bare WSGI, a constant", f"{CONSTANT}:plain", DAILY),
    Case("b", "Falcon, a constant", f"{CONSTANT}:api", DAILY),
    Case("c1", "naive daily: a SELECT each", NAIVE, DAILY),
    Case("c2", "naive random: an upstream call each", NAIVE, RANDOM),
    Case("d", "ours, daily", OURS, DAILY),
    Case("e", "ours, random", OURS, RANDOM),
    Case("f", "ours, random with filters", OURS, FILTERED),
    Case("g", "ours, random from the upstream of c2", OURS, RANDOM, upstream=True),
)


def main() -> int:
    """Measure, print the report and write it; return 1 if something it needs is missing or fails."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that no server outlives the run
    begun, load = dt.datetime.now(dt.UTC), os.getloadavg()[0]
    section = library_section = ""
    try:
        with tempfile.TemporaryDirectory(prefix="quotes-bench-") as folder:
            if options.only is None:
                wrk = wrk_version()
                rates = measure(Path(folder), options.rounds, options.seconds)
                found = {} if options.skip_picks else picks.measure(Path(folder), options.rounds)
            if options.only in (None, "library") and not options.skip_library:
                method = library.METHOD.format(each=library.EACH)
                tables = library.measure(Path(folder))
                library_section = report.section(library.SECTION, report.machine(begun, load), method, tables)
            if options.only in (None, "state") and not options.skip_state:
                tables = state.measure(Path(folder))
                section = report.state_section(report.machine(begun, load, state.PACKAGES), tables)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    before = options.output.read_text() if options.output.exists() else "# Benchmarks"
    if options.only:
        text = report.replaced(before, section or library_section)
    else:
        how = f"rounds: {options.rounds}, of {options.seconds} s for each row"
        machine = report.machine(begun, load, report.PACKAGES, wrk)
        text = report.render(machine, how, CASES, rates, found, section)
        cold_starts = report.found(before, cold.SECTION)  # measured by `make bench-cold`
        text = report.replaced(text, cold_starts) if cold_starts else text
        library_section = library_section or report.found(before, library.SECTION)
        text = report.replaced(text, library_section) if library_section else text
    print((section or library_section) if options.only else text)
    options.output.write_text(text)
    return 0


def measure(folder: Path, rounds: int, seconds: int) -> dict[str, dict[str, list[float]]]:
    """Return requests per second by server and by the case's letter, one figure a round.

    All applications run all the time, and the cases take turns, so that other load on the machine affects all alike.
    """
    rates: dict[str, dict[str, list[float]]] = {server: {case.letter: [] for case in CASES} for server in SERVERS}
    with contextlib.ExitStack() as started:

        def start(server: str, app: str, path: str, environ: Mapping[str, str]) -> str:
            return started.enter_context(running(server, app, path, folder, environ)) + path

        constants = {"BENCH_BODY": get(start("granian", OURS, DAILY, {})).decode()}
        endpoint = constants["BENCH_UPSTREAM"] = start("granian", "bench.naive:upstream", "/", constants)
        upstream = {"Mashape_API_Endpoint": endpoint}
        for server in SERVERS:
            urls = {
                case: start(server, case.app, case.path, constants | (upstream if case.upstream else {}))
                for case in CASES
            }
            for url in urls.values():
                requests_per_second(url, 1)  # warm
            for number in range(rounds):
                for case, url in urls.items():
                    rate = requests_per_second(url, seconds)
                    rates[server][case.letter].append(rate)
                    print(f"{server}, round {number + 1}: {rate:8,.0f}/s  {case.text}", file=sys.stderr)
    return rates


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--seconds", type=_positive, default=2, help="of each measurement (default: 2)")
    parser.add_argument(
        "--rounds", type=_positive, default=9, help="in each of which all cases take turns (default: 9)"
    )
    parser.add_argument("--skip-picks", action="store_true", help="leave out the generated corpora")
    parser.add_argument("--skip-state", action="store_true", help="leave out the state's databases")
    parser.add_argument("--skip-library", action="store_true", help="leave out import and search of a million quotes")
    parser.add_argument(
        "--only", choices=["state", "library"], help="measure only that and replace its section of the report"
    )
    parser.add_argument(
        "--output", type=Path, default=ROOT / "docs" / "benchmarks.md", help="default: docs/benchmarks.md"
    )
    options = parser.parse_args()
    if options.only and getattr(options, f"skip_{options.only}"):
        parser.error(f"--only {options.only} and --skip-{options.only} leave nothing to measure")
    return options


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError("not a whole number from 1 up")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
