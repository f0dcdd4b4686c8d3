r"""Many runs from frozen configurations, one record each.

    python -m benchmarks.graph.sweep table3

A record, one JSON line in ``results/NAME.jsonl``, holds configuration, seed, versions,
commit, machine, what every epoch measured, scores of every fold, and seconds. What has
a record is not run again, whatever stopped the sweep: lines are appended one by one as
runs finish, and a line cut short does not count.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import torch
import typer
from joblib import Parallel, delayed
from tqdm import tqdm

from benchmarks.graph.grids import GRIDS
from pyg_prosampler.build import load_for
from pyg_prosampler.config import PretrainConfig
from pyg_prosampler.experiment import run
from pyg_prosampler.records import RunFolder, environment

RESULTS = Path(__file__).parent / "results"

# Where data lie says nothing about a result, and cores are no part of a method.
_PLACES = ("root", "mirror")

Record = dict[str, Any]


def main(
    names: Annotated[
        list[str] | None, typer.Argument(help=f"Among {', '.join(GRIDS)}.")
    ] = None,
    root: Annotated[str, typer.Option(help="Folder of all data sets.")] = "data",
    mirror: Annotated[str | None, typer.Option(help="Mirror of data sets.")] = None,
    num_jobs: Annotated[int, typer.Option(help="Runs side by side; -1: cores.")] = -1,
    device: Annotated[str, typer.Option(help="Such as cpu or cuda.")] = "cpu",
    datasets: Annotated[str | None, typer.Option(help="Only these, by commas.")] = None,
    dry_run: Annotated[bool, typer.Option(help="Only say what is to be done.")] = False,
) -> None:
    """Run what has no record yet."""
    unknown = sorted(set(names or ()) - set(GRIDS))
    if unknown:
        raise typer.BadParameter(f"{unknown} are not among {', '.join(GRIDS)}")
    for name in names or GRIDS:
        configs = GRIDS[name](root=root, mirror=mirror, device=device)
        if datasets is not None:
            configs = [c for c in configs if c.dataset in datasets.split(",")]
        path = RESULTS / f"{name}.jsonl"
        left = unfinished(configs, read_records(path))
        print(f"{name}: {len(left)} of {len(configs)} runs to be done", flush=True)
        if not dry_run:
            sweep(left, path, num_jobs)


def sweep(configs: Sequence[PretrainConfig], path: Path, num_jobs: int = -1) -> None:
    r"""Does all runs and appends their records to a file."""
    for config in {
        (c.dataset, c.framework, c.node_features): c for c in configs
    }.values():
        load_for(config)  # Data sets are processed before they are shared.
    _drop_cut_line(path)
    # One thread each, and as many processes as asked for, on any machine alike.
    os.environ["OMP_NUM_THREADS"] = "1"
    done = Parallel(n_jobs=num_jobs, return_as="generator_unordered")(
        delayed(run_once)(config) for config in configs
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        for record in tqdm(done, total=len(configs), desc=path.stem, unit="run"):
            file.write(json.dumps(record) + "\n")
            file.flush()
            os.fsync(file.fileno())


def run_once(config: PretrainConfig) -> Record:
    r"""Does one run and returns its record."""
    torch.set_num_threads(1)
    dataset = load_for(config)
    began = time.perf_counter()
    with TemporaryDirectory() as folder:
        run(config, dataset, folder, evaluate_untrained=False)
        records = RunFolder(folder).read_records()
    seconds = time.perf_counter() - began
    epochs = [record for record in records if record["type"] == "epoch"]
    (evaluation,) = (record for record in records if record["type"] == "evaluation")
    return {
        "config": identity(config),
        **environment(),
        "seconds": round(seconds, 2),
        "mean": evaluation["mean"],
        "evaluation": {
            key: evaluation[key]
            for key in ("fold_scores", "chosen_c", "metric", "valid", "seconds")
            if key in evaluation
        },
        "epochs": list(_compact(epochs)),
    }


def identity(config: PretrainConfig) -> dict[str, Any]:
    r"""What two runs have in common if they are the same."""
    return {key: v for key, v in asdict(config).items() if key not in _PLACES}


def unfinished(
    configs: Iterable[PretrainConfig], records: Iterable[Record]
) -> list[PretrainConfig]:
    r"""Returns the configurations that have no record."""
    done = {json.dumps(record["config"], sort_keys=True) for record in records}
    return [
        config
        for config in configs
        if json.dumps(identity(config), sort_keys=True) not in done
    ]


def read_records(path: Path) -> list[Record]:
    r"""Reads whole lines; one that was cut short is left out."""
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def _drop_cut_line(path: Path) -> None:
    if path.exists():
        text = path.read_bytes()
        with path.open("r+b") as file:
            file.truncate(text.rfind(b"\n") + 1)


def _compact(epochs: Iterable[Record]) -> Iterator[Record]:
    for epoch in epochs:
        yield {
            key: float(f"{value:.5g}") if isinstance(value, float) else value
            for key, value in epoch.items()
            if value is not None and key not in ("type", "epoch")
        }


if __name__ == "__main__":
    typer.run(main)
