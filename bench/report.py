"""The figures as Markdown, and whether they meet the targets."""

import datetime as dt
import os
import platform
import re
import sqlite3
import statistics
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from bench.picks import PICKS, SIZES, Figures
from bench.servers import CONNECTIONS

if TYPE_CHECKING:
    from bench.__main__ import Case

Rates = Mapping[str, Mapping[str, Sequence[float]]]
Picks = Mapping[int, Sequence[Figures]]

# Server, measured case, the case it is compared with, and the least ratio.
RATIOS = (
    ("gunicorn sync", "d", "b", 0.85),
    ("gunicorn sync", "e", "b", 0.75),
    ("granian", "d", "b", 0.6),
    ("granian", "e", "b", 0.6),
    ("gunicorn sync", "d", "c1", 2),
    ("granian", "d", "c1", 2),
    ("gunicorn sync", "e", "c2", 5),
    ("granian", "e", "c2", 5),
)
SLOWER_AT_MOST = 1.5  # times as slow: the largest corpus as the smallest
FILTERED_WITHIN = 3000  # microseconds
GROWTH_AT_MOST = 4  # MiB more for the largest corpus than the smallest; SQLite's page cache holds 2
STATE = "## State"
PACKAGES = ("falcon", "gunicorn", "granian", "peewee", "requests")

METHOD = f"""\
Each server has one worker and its default settings otherwise; wrk holds {CONNECTIONS} connections from one thread, on
the same machine. All applications run at the same time and are measured in turn, in several rounds. A rate is the
median of the rounds; ratios are computed within each round, and given as median, lowest and highest. (b) answers with
today's quote as a constant and one header; (c) opens its SQLite database for each daily quote, as Peewee advises, and
calls an upstream for each random one, a stub on the loopback interface that answers at once; (d) to (f) have no
upstream; (g) has that of (c) and asks it for ten quotes at a time."""

PICKS_METHOD = f"""\
Generated quotes; each figure is from a fresh process that opens the corpus and picks {PICKS:,} times without and
{PICKS:,} times with filters (author, category, both, a length, a category with two lengths, in turn). Median of the
rounds; memory is the process's peak (resident)."""

STATE_METHOD = """\
S3 is moto's server on the loopback interface, one process, changed to check conditions and replace objects
atomically, as S3 does. PostgreSQL runs on the same machine and is reached through a Unix socket. Both share the cores
with the writers. **A real S3 adds its own latency.** A write takes two round trips (`GET`, `PUT`), one after the
other: at 30 ms each, at best about 15 writes a second from one writer. Several writers share that, because S3 accepts
only one of the uploads made from one version, and the others start again."""


def render(machine: Sequence[str], how: str, cases: Iterable["Case"], rates: Rates, picks: Picks, state: str) -> str:
    """Return the whole report; `state` is what `state_section` returned."""
    cases = list(cases)
    parts = ["# Benchmarks", "Written by `make bench`.", "\n".join(f"- {line}" for line in (*machine, how))]
    parts += ["## Targets", _targets(rates, picks), "## Requests per second", METHOD]
    for server, found in rates.items():
        parts += [f"### {server}", _rates_table(cases, found)]
    if picks:
        parts += ["## A random pick in process", PICKS_METHOD, _picks_table(picks)]
    parts += [state] if state else []
    return "\n\n".join(parts) + "\n"


def state_section(machine: Sequence[str], tables: str) -> str:
    """Return the section on the state, which can also be measured on its own."""
    return section(STATE, machine, STATE_METHOD, tables)


def section(title: str, machine: Sequence[str], *parts: str) -> str:
    """Return a section with a title and the machine it was measured on."""
    return "\n\n".join([title, "\n".join(f"- {line}" for line in machine), *parts])


def replaced(report: str, section: str) -> str:
    """Return a report with the section of the same title replaced, or the section added at the end."""
    title = section.partition("\n")[0]
    sections = re.split(r"\n(?=## )", report.rstrip())
    others = [part.rstrip() for part in sections if part.partition("\n")[0] != title]
    return "\n\n".join([*others, section]) + "\n"


def found(report: str, title: str) -> str:
    """Return the section with a title; empty if there is none."""
    sections = re.split(r"\n(?=## )", report.rstrip())
    return next((part.rstrip() for part in sections if part.partition("\n")[0] == title), "")


def ms(seconds: Sequence[float]) -> str:
    """Return the median, in milliseconds."""
    return f"{statistics.median(seconds) * 1000:,.2f}"


def table(heads: str, rows: Sequence[Sequence[object]]) -> str:
    """Return a table of figures, all but the first column aligned to the right."""
    lines = [heads.split("|"), ["---"] + ["--:"] * heads.count("|"), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def machine(begun: dt.datetime, load: float, packages: Sequence[str] = PACKAGES, *others: str) -> list[str]:
    """Return lines that say when, where and with which versions this ran."""
    versions = ", ".join([*(f"{name} {metadata.version(name)}" for name in packages), *others])
    return [
        f"{begun:%Y-%m-%d %H:%M} UTC, load of the machine before: {load:.2f}",
        f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {versions}",
    ]


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.+)", cpuinfo.read_text()) if cpuinfo.exists() else None
    return model[1] if model else platform.processor() or platform.machine()


def _ratios(ones: Iterable[float], others: Iterable[float]) -> list[float]:
    """Return the ratios within each round."""
    return [one / other for one, other in zip(ones, others, strict=True)]


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def _median(rounds: Iterable[Figures], name: str) -> float:
    return statistics.median(figures[name] for figures in rounds)


def _targets(rates: Rates, picks: Picks) -> str:
    lines = ["| target | measured | |", "|---|---|---|"]

    def judge(target: str, measured: str, *, met: bool) -> None:
        lines.append(f"| {target} | {measured} | {'met' if met else '**not met**'} |")

    for server, case, other, least in RATIOS:
        ratios = _ratios(rates[server][case], rates[server][other])
        target = f"{server}: ({case}) at least {least} times ({other})"
        judge(target, _spread(ratios), met=statistics.median(ratios) >= least)
    if not picks:
        return "\n".join([*lines, "| picks on generated corpora | not in this run | |"])
    small, large = picks[SIZES[0]], picks[SIZES[-1]]
    ratios = _ratios((one["random"] for one in large), (one["random"] for one in small))
    judge(
        f"random pick from {SIZES[-1]:,} quotes at most {SLOWER_AT_MOST} times that from {SIZES[0]:,}",
        _spread(ratios),
        met=statistics.median(ratios) <= SLOWER_AT_MOST,
    )
    filtered = max(_median(rounds, "filtered") for rounds in picks.values())
    judge("filtered pick within 3 ms", f"{filtered / 1000:.3f} ms", met=filtered <= FILTERED_WITHIN)
    growth = _median(large, "memory") - _median(small, "memory")
    judge(
        f"memory independent of the corpus's size (± {GROWTH_AT_MOST} MiB, SQLite's cache)",
        f"{growth:+.1f} MiB from {SIZES[0]:,} to {SIZES[-1]:,} quotes",
        met=growth <= GROWTH_AT_MOST,
    )
    return "\n".join(lines)


def _rates_table(cases: Iterable["Case"], found: Mapping[str, Sequence[float]]) -> str:
    lines = ["| | | requests/s | lowest to highest | of (b) |", "|---|---|--:|--:|--:|"]
    for case in cases:
        rates = found[case.letter]
        median, span = statistics.median(rates), f"{min(rates):,.0f} to {max(rates):,.0f}"
        of_falcon = statistics.median(_ratios(rates, found["b"]))
        lines.append(f"| {case.letter} | {case.text} | {median:,.0f} | {span} | {of_falcon:.2f} |")
    return "\n".join(lines)


def _picks_table(picks: Picks) -> str:
    lines = ["| quotes | random | its 99th percentile | filtered | its 99th percentile | memory |"]
    lines.append("|--:|--:|--:|--:|--:|--:|")
    for size, rounds in picks.items():
        times = (f"{_median(rounds, name):.1f} µs" for name in ("random", "random_99", "filtered", "filtered_99"))
        lines.append(f"| {size:,} | {' | '.join(times)} | {_median(rounds, 'memory'):.1f} MiB |")
    return "\n".join(lines)
