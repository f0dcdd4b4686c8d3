r"""How much faster every part is than its plain counterpart.

Every part runs in a process of its own, once with the C library's usual memory
allocation and once "tuned", so that large temporaries are not handed back to the
system at every call: page faults flatter the fast ways. From the root of the
repository:

    python -m benchmarks.graph.speed
    python -m benchmarks.graph.speed collate proximity

What has finished is kept; ``--again`` measures it anew.
"""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import torch
import typer

from benchmarks.graph.records import Record, read_records, write_records
from pyg_prosampler.records import environment

RESULTS = Path(__file__).parents[1] / "results"
PARTS = (
    "collate",
    "aggregation",
    "training",
    "encoding",
    "proximity",
    "walks",
    "evaluation",
    "growth",
)
# Of glibc; elsewhere, tuned is as default.
ALLOCATIONS = {
    "default": {},
    "tuned": {
        "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
        "MALLOC_TRIM_THRESHOLD_": str(1 << 32),
    },
}
_IN_PROCESS = "PROSAMPLER_SPEED_PART"


def main(
    parts: Annotated[
        list[str] | None, typer.Argument(help=f"Among {', '.join(PARTS)}.")
    ] = None,
    root: Annotated[str, typer.Option(help="Folder of all data sets.")] = "data",
    mirror: Annotated[str | None, typer.Option(help="Mirror of data sets.")] = None,
    num_threads: Annotated[int, typer.Option(help="For everything.")] = 1,
    out: Annotated[Path, typer.Option(help="JSON lines.")] = RESULTS / "speed.jsonl",
    again: Annotated[bool, typer.Option(help="Also what has finished.")] = False,
) -> None:
    """Measure the parts that are named, or all, and write their records."""
    if _IN_PROCESS in os.environ:
        _measure(os.environ[_IN_PROCESS], root, mirror, num_threads)
        return
    unknown = sorted(set(parts or ()) - set(PARTS))
    if unknown:
        raise typer.BadParameter(f"{unknown} are not among {', '.join(PARTS)}")
    records = read_records(out)
    for part in parts or PARTS:
        for allocation, variables in ALLOCATIONS.items():
            key = (part, allocation)
            if not again and any(_key(record) == key for record in records):
                continue
            print(f"{part}, {allocation} allocation, {num_threads} threads", flush=True)
            measured = _measure_in_process(part, variables, num_threads)
            records = [record for record in records if _key(record) != key]
            records += [{"allocation": allocation, **record} for record in measured]
            records.sort(key=lambda record: PARTS.index(record["part"]))
            write_records(out, records)


def _measure_in_process(
    part: str, variables: dict[str, str], num_threads: int
) -> list[Record]:
    threads = {
        name: str(num_threads)
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    }
    records = []
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.graph.speed", *sys.argv[1:]],
        env={**os.environ, **variables, **threads, _IN_PROCESS: part},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            records.append(json.loads(line))
            print(describe(records[-1]), flush=True)
    if process.returncode != 0:
        sys.exit(process.returncode)
    return records


def _measure(part: str, root: str, mirror: str | None, num_threads: int) -> None:
    torch.set_num_threads(num_threads)
    module = importlib.import_module(f"benchmarks.graph.speed.{part}")
    common = {"num_threads": num_threads, **environment()}
    for record in module.measure(root, mirror):
        print(json.dumps({"part": part, **record, **common}), flush=True)


def describe(record: Record) -> str:
    r"""A line with the seconds of every way and how much faster than the first."""
    cells = []
    for name, seconds in record.get("seconds", {}).items():
        cell = f"{name} {1e3 * seconds['median']:.3g} ms"
        if name in record["ratio"]:
            cell += f" ({record['ratio'][name]['median']:.2f}x)"
        cells.append(cell)
    return f"  {record.get('case', '')}: {', '.join(cells)}"


def _key(record: Record) -> tuple[str, str]:
    return record["part"], record["allocation"]


if __name__ == "__main__":
    typer.run(main)
