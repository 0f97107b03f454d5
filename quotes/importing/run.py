"""The commands `import` and `export`."""

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from quotes.corpus import EMBEDDED
from quotes.errors import ImportRefused, QuotesError
from quotes.importing.cleaning import clean
from quotes.importing.fields import Fields, RowRefused
from quotes.importing.formats import Source, look_at
from quotes.importing.library import FIELDS, Merging, folder_beside, old_lines, put_in_place, settled

REPORT = "import-report.tsv"
EXPORTS = ("jsonl", "json", "csv", "tsv")


def import_files(
    files: Sequence[Path],
    library: Path,
    fields: Fields,
    *,
    form: str | None = None,
    is_replacing: bool = False,
    is_dry: bool = False,
    say: Callable[[str], object] = print,
) -> None:
    """Import files, either all of them or none.

    Args:
        files: The files, in the order in which to read them.
        library: The `.jsonl` to import into; if it is missing, it starts as a copy of the embedded library.
        fields: Converts the rows.
        form: The format of the files; None to detect it.
        is_replacing: Whether to discard the quotes that the library has.
        is_dry: Whether to write only the report.
        say: Called with each line of output.

    Raises:
        ImportRefused: A file is unusable.
        QuotesError: The library cannot be written, or would be empty.
    """
    sources = [look_at(file, fields, form) for file in files]
    if library.is_symlink():
        library = library.resolve()  # else the link itself would be replaced
    before = None if is_replacing else library if library.is_file() else EMBEDDED
    with folder_beside(library) as folder:
        text, report = folder / library.name, folder / REPORT
        with text.open("wb") as out, report.open("w", encoding="utf-8", newline="") as rows:
            merging = Merging(out)
            if before:
                for raw, line in old_lines(before):
                    merging.keep(raw, line)
            old = len(merging)
            refused = csv.writer(rows, "excel-tab", lineterminator="\n")
            refused.writerow(["file", "line", "reason", "text"])
            for source in sources:
                say(_one(source, fields, merging, refused.writerow))
            total = len(merging)
            replaced = merging.replaced
            del merging  # frees its memory for the build
        report.replace(library.with_name(REPORT))
        if not total:
            raise QuotesError(f"no quote was found, so nothing was imported; {library.with_name(REPORT)} says why.")
        if not is_dry:
            settled(text, replaced)
            put_in_place(text, library)
        say(f"{library}: {old:,} quotes before, {total:,} {'would be there' if is_dry else 'now'}")
        say(f"{library.with_name(REPORT)}: every row that was left out, and why")
        say(
            "Nothing was changed: this was a dry run."
            if is_dry
            else "A running service has to be restarted to see them."
        )


def _one(source: Source, fields: Fields, merging: Merging, refuse: Callable[[Iterable[object]], object]) -> str:
    from tqdm import tqdm

    read = new = doubles = 0
    with tqdm(
        total=source.path.stat().st_size, desc=source.path.name, unit="B", unit_scale=True, disable=None, leave=False
    ) as bar:
        for row in source.rows(lambda at: bar.update(at - bar.n)):
            read += 1
            reason = row.reason
            if row.values is not None:
                try:
                    reason = merging.add(fields.read(row.values))
                    if not reason:
                        new += 1
                        continue
                    doubles += 1
                except RowRefused as error:
                    reason = str(error)
            refuse([source.path, row.line, reason, _shown(row.text or _quote_of(row.values, fields))])
    if not read:
        raise ImportRefused(source.path, "holds no rows")
    counts = f"{read:,} rows: {new:,} new, {doubles:,} duplicates, {read - new - doubles:,} refused"
    return f"{source.path}: {source.title}; {counts}"


def _quote_of(values: dict[str, Any] | None, fields: Fields) -> str:
    if not values:
        return ""
    keys = fields.columns(tuple(values))["quote"]
    return str(values[keys[0]]) if keys else json.dumps(values, default=str)


def _shown(text: str) -> str:
    return clean(text[:200].encode(errors="replace").decode())[:80]


def export(library: Path, form: str | None, target: Path | None) -> None:
    """Export a library.

    Args:
        library: The library's `.jsonl`, or the `.sqlite3` next to it.
        form: One of `EXPORTS`; None to go by the target's suffix, or else use JSON lines.
        target: The file to write; None or `-` for standard output.

    Raises:
        QuotesError: The library cannot be read, or the target cannot be written.
    """
    text = library.with_suffix(".jsonl")
    if not text.is_file():
        raise QuotesError(f"{library} can be exported only where its text, {text.name}, is beside it.")
    suffix = target.suffix.lower().lstrip(".") if target else ""
    form = form or (suffix if suffix in EXPORTS else "jsonl")
    try:
        if target is None or str(target) == "-":
            out = io.TextIOWrapper(sys.stdout.buffer, "utf-8", newline="", write_through=True)
            _write(old_lines(text), form, out)
            out.flush()
            out.detach()
            return
        if target.exists() and target.samefile(text):
            raise QuotesError(f"{target} is the library itself.")
        if target.exists() and not target.is_file():  # a device or a pipe; for a directory, opening it fails
            with target.open("w", encoding="utf-8", newline="") as file:
                _write(old_lines(text), form, file)
            return
        whole = target.resolve()
        unfinished = whole.with_name(f".{whole.name}.{os.getpid()}.part")
        try:
            with unfinished.open("w", encoding="utf-8", newline="") as file:
                _write(old_lines(text), form, file)
            unfinished.replace(whole)
        finally:
            unfinished.unlink(missing_ok=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise QuotesError(f"{target} cannot be written ({error.strerror}).") from error


def _write(lines: Iterator[tuple[bytes, dict[str, Any]]], form: str, out: TextIO) -> None:
    if form in ("csv", "tsv"):
        separator = "," if form == "csv" else "\t"
        table = csv.DictWriter(out, FIELDS, extrasaction="ignore", delimiter=separator, lineterminator="\n")
        table.writeheader()
        table.writerows(line for _, line in lines)
        return
    texts = (raw.decode() for raw, _ in lines)
    if form == "jsonl":
        out.writelines(f"{line}\n" for line in texts)
        return
    for number, line in enumerate(texts):
        out.write((",\n" if number else "[\n") + line)
    out.write("\n]\n")
