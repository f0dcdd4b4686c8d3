r"""Puts the tables of all records into README and docs, between their markers.

    python -m benchmarks.graph.tables           # writes
    python -m benchmarks.graph.tables --check   # fails if anything is out of date

A table stands between ``<!-- begin: NAME -->`` and ``<!-- end: NAME -->`` and is made
from records in ``results`` alone.
"""

import io
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.graph import studies
from benchmarks.graph.cells import Cells
from benchmarks.graph.frozen import FROZEN
from benchmarks.graph.grids import reported
from benchmarks.graph.grids.grid import Grid
from benchmarks.graph.no_loops import NO_LOOPS
from benchmarks.graph.pictures import draw_false_negatives
from benchmarks.graph.published import PUBLISHED
from benchmarks.graph.records import Record, read_records
from benchmarks.graph.render import accuracies, differences
from benchmarks.graph.speed import tables as speed
from pyg_prosampler.compare import describe_comparison, to_table

PROJECT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).parent / "results"


def comparison(records: list[Record]) -> str:
    r"""The table that ``prosampler compare`` prints, as it prints it."""
    (record,) = records
    buffer = io.StringIO()
    table = to_table(
        record["rows"], describe_comparison(record), record["false_negative_floor"]
    )
    Console(file=buffer, width=80).print(table)
    lines = [line.rstrip() for line in buffer.getvalue().splitlines()]
    return "\n".join(["```", *lines, "```", "", *provenance(records)])


def diffusion(records: list[Record]) -> str:
    r"""A row for each data set, and a sentence on the training steps."""
    lines = [
        "| data set | graphs | seconds | from disk | extra memory | on disk | entries, "
        "of the dense matrices' | largest error |",
        "|---|---|---|---|---|---|---|---|",
    ]
    steps = []
    for record in records:
        if "step" in record:
            which = {"uniform": "a uniform batch", "largest": "the 128 largest graphs"}
            steps.append(
                f"{record['peak_gib']:.1f} GiB and {record['seconds']:.0f} s for "
                f"{which[record['step']]} ({record['num_nodes']} nodes)"
            )
            continue
        share = record["num_entries"] / record["num_dense_entries"]
        cells = [
            record["dataset"],
            str(record["num_graphs"]),
            f"{record['seconds']:.1f}",
            f"{record['cached_seconds']:.2f} s",
            f"{record['extra_mib']:.0f} MiB",
            f"{record['stored_mb']:.1f} MB",
            f"{record['num_entries']}, {share:.1%}",
            f"{record['largest_error']:.0e}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    sentence = (
        "A training step of MVGRL on REDDIT-BINARY (B = 128, hidden 512, two layers, "
        f"one thread) took, at its peak, {', and '.join(steps)}."
    )
    return "\n".join([*lines, "", sentence, "", *provenance(records)])


def frozen(records: list[Record]) -> str:
    r"""Frozen encoders against trained ones."""
    return _variant(FROZEN, "MVGRL", "MVGRL", records)


def no_loops(records: list[Record]) -> str:
    r"""The public code without its self-loops against all of it."""
    return _variant(NO_LOOPS, "GraphCL, public code", "GraphCL", records)


def _variant(grid: Grid, baseline: str, published: str, records: list[Record]) -> str:
    r"""Accuracies of a changed row, of the same configurations without the change, and
    as published, and what the change does, seed by seed.
    """
    ((name, row),) = grid.rows.items()
    unchanged = studies.cells_of(replace(grid, rows={baseline: row}))
    cells = unchanged | Cells(grid, records)
    table = accuracies(cells, {name: PUBLISHED[published]})
    return f"{table}\n\n{differences(cells, [(name, baseline)])}"


def late_epoch(records: list[Record]) -> str:
    r"""A row for each data set, encoder and restart probability."""
    lines = [
        "| data set | encoder | restart | last of first quarter, as drawn | rebuilt | "
        "default | mean excess, as drawn | default | weakest batch, as drawn | default "
        "| mean excess, independent |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    rows: dict[tuple[Any, ...], dict[str, Record]] = {}
    for record in records:
        key = record["dataset"], record["encoder"], record["restart_prob"]
        rows.setdefault(key, {})[record["batches"]] = record
    for (dataset, encoder, restart_prob), row in rows.items():
        kept = [
            f"{row[name]['kept']:.0%} ± {row[name]['kept_standard_error']:.0%}"
            for name in ("as before", "rebuilt", "partition")
        ]
        excess = [
            f"{row[name][key]:.4f}"
            for key in ("mean", "weakest")
            for name in ("as before", "partition")
        ]
        excess.append(f"{row['independent']['mean']:.4f}")
        lines.append(
            f"| {' | '.join([dataset, encoder, str(restart_prob), *kept, *excess])} |"
        )
    return "\n".join([*lines, "", *provenance(records)])


def hardness_cost(records: list[Record]) -> str:
    r"""A row for each data set and batch size."""
    lines = [
        "| data set | B | training, ms an epoch | monitor, ms an epoch | share |",
        "|---|---|---|---|---|",
    ]
    for record in records:
        epoch_ms = 1e3 * record["median_seconds_without"] / record["num_epochs"]
        lines.append(
            f"| {record['dataset']} | {record['batch_size']} | {epoch_ms:.1f} | "
            f"{record['monitor_ms_per_epoch']:.2f} | "
            f"{record['median_monitor_share']:.2%} |"
        )
    return "\n".join([*lines, "", *provenance(records)])


def provenance(records: list[Record]) -> list[str]:
    r"""Where the numbers come from, in a line."""
    first = records[0]
    versions = ", ".join(
        f"{name} {first['versions'][name]}" for name in ("torch", "torch-geometric")
    )
    machine = first["machine"]
    commits = sorted({record["commit"] for record in records})
    return [
        f"`{first['command']}`, commit {', '.join(commits)}, {versions}, "
        f"{machine['num_cores']} cores of {machine['processor']}."
    ]


def with_provenance(
    table: Callable[[list[Record]], str],
) -> Callable[[list[Record]], str]:
    r"""A table with where its numbers come from below."""
    return lambda records: "\n".join([table(records), "", *provenance(records)])


def of_file(name: str, table: Callable[[list[Record]], str]) -> Callable[[], str]:
    r"""The table of ``results/NAME.jsonl``; with NAME/PART, of the records of that
    part.
    """

    def make() -> str:
        records = read(name)
        return table(records) if records else "*No record yet.*"

    return make


TABLES: dict[str, Callable[[], str]] = {
    name: of_file(name, table)
    for name, table in {
        "compare-MUTAG": comparison,
        "diffusion": diffusion,
        "frozen": frozen,
        "no_loops": no_loops,
        "hardness_cost": hardness_cost,
        "late_epoch": late_epoch,
        **{f"speed/{part}": with_provenance(t) for part, t in speed.TABLES.items()},
    }.items()
} | studies.TABLES


def read(name: str) -> list[Record]:
    r"""Returns the records of a table."""
    name, _, part = name.partition("/")
    path = RESULTS / f"{name}.jsonl"
    records = read_records(path)
    return [record for record in records if not part or record["part"] == part]


def filled(text: str) -> str:
    r"""Returns a document with its tables made anew."""

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        return f"<!-- begin: {name} -->\n{TABLES[name]()}\n<!-- end: {name} -->"

    return re.sub(
        r"<!-- begin: (\S+) -->\n.*?<!-- end: \1 -->", fill, text, flags=re.DOTALL
    )


def documents() -> list[Path]:
    r"""README and docs."""
    return [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]


def main() -> None:
    r"""Writes the tables, or checks them."""
    texts = {path: path.read_text() for path in documents()}
    outdated = [path for path, text in texts.items() if filled(text) != text]
    for path in outdated:
        if "--check" in sys.argv:
            print(f"{path} is out of date: run python -m benchmarks.graph.tables")
        else:
            path.write_text(filled(texts[path]))
            print(f"{path}: tables made anew")
    if "--check" not in sys.argv:
        images = PROJECT / "docs" / "images"
        speed.draw_growth(read("speed/growth"), images / "speed-growth")
        draw_false_negatives(
            studies.cells_of(reported.TABLE3), images / "false-negatives"
        )
    if outdated and "--check" in sys.argv:
        sys.exit(1)


if __name__ == "__main__":
    main()
