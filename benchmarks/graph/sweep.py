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
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Annotated

import torch
import typer
from joblib import Parallel, delayed
from tqdm import tqdm

from benchmarks.graph.grids import STUDIES
from benchmarks.graph.orphans import end_with
from benchmarks.graph.records import Record, read_records
from pyg_prosampler.build import load_for
from pyg_prosampler.config import PLACES, PretrainConfig
from pyg_prosampler.experiment import run
from pyg_prosampler.records import RunFolder, environment

RESULTS = Path(__file__).parent / "results"

_FIELDS = {f.name for f in fields(PretrainConfig)} - set(PLACES)
# What is kept of every epoch.
_MEASURES = (
    "loss", "similarity", "similarity_floor", "neighbors_found", "false_negative_rate",
    "effective_rank", "coverage", "fill_rate", "sampler_seconds", "seconds",
)  # fmt: skip


def main(
    names: Annotated[
        list[str] | None, typer.Argument(help=f"Among {', '.join(STUDIES)}.")
    ] = None,
    root: Annotated[str, typer.Option(help="Folder of all data sets.")] = "data",
    mirror: Annotated[str | None, typer.Option(help="Mirror of data sets.")] = None,
    num_jobs: Annotated[int, typer.Option(help="Runs side by side; -1: cores.")] = -1,
    device: Annotated[str, typer.Option(help="Such as cpu or cuda.")] = "cpu",
    where: Annotated[
        list[str] | None,
        typer.Option(help="Only runs with FIELD=VALUE[,VALUE...]; may be repeated."),
    ] = None,
    results: Annotated[
        Path,
        typer.Option(
            help="Folder of the records.", show_default="benchmarks/graph/results"
        ),
    ] = RESULTS,
    dry_run: Annotated[bool, typer.Option(help="Only say what is to be done.")] = False,
) -> None:
    """Run what has no record yet."""
    num_failed = 0
    unknown = sorted(set(names or ()) - set(STUDIES))
    if unknown:
        raise typer.BadParameter(f"{unknown} are not among {', '.join(STUDIES)}")
    for name in names or STUDIES:
        configs = [config for grid in STUDIES[name] for config in grid]
        configs = only(configs, where or ())
        # What another study has done need not be done again.
        left = unfinished(configs, read_all(results))
        print(f"{name}: {len(left)} of {len(configs)} runs to be done", flush=True)
        if left and not dry_run:
            left = [
                replace(config, root=root, mirror=mirror, device=device)
                for config in left
            ]
            num_failed += sweep(left, results / f"{name}.jsonl", num_jobs)
    if num_failed:
        print(f"{num_failed} runs failed, see above; the next sweep tries them again")
        raise typer.Exit(1)


def only(
    configs: Iterable[PretrainConfig], conditions: Iterable[str]
) -> list[PretrainConfig]:
    r"""Returns the configurations that fulfil all conditions, such as
    :obj:`"seed=0,1"`.
    """
    wanted = [condition.partition("=")[::2] for condition in conditions]
    for field, values in wanted:
        if field not in PretrainConfig.__dataclass_fields__ or not values:
            raise typer.BadParameter(
                f"a condition should read FIELD=VALUE with a field of the "
                f"configuration such as dataset or seed (got '{field}={values}')"
            )
    return [
        config
        for config in configs
        if all(str(getattr(config, f)) in values.split(",") for f, values in wanted)
    ]


def sweep(configs: Sequence[PretrainConfig], path: Path, num_jobs: int = -1) -> int:
    r"""Does all runs and appends their records to a file. A run that fails is told of
    and leaves none; returns how many these are.
    """
    for config in {
        (c.dataset, c.framework, c.node_features): c for c in configs
    }.values():
        load_for(config)  # Data sets are processed before they are shared.
    _drop_cut_line(path)
    clock = Clock(read_records(path), configs)
    # One thread each, and as many processes as asked for, on any machine alike.
    os.environ["OMP_NUM_THREADS"] = "1"
    command = environment()["command"]
    done = Parallel(n_jobs=num_jobs, return_as="generator_unordered")(
        delayed(_attempt)(config, os.getpid()) for config in configs
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    layout = (
        "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"
    )
    bar = tqdm(done, total=len(configs), desc=path.stem, bar_format=layout)
    num_failed = 0
    with path.open("a") as file:
        for record in bar:
            if "error" in record:
                num_failed += 1
                bar.write(f"{record['error']}of {json.dumps(record['config'])}\n")
                continue
            record["command"] = command
            file.write(json.dumps(record) + "\n")
            file.flush()
            os.fsync(file.fileno())
            bar.set_postfix_str(f"{clock.left_after(record):.0f} min left")
    return num_failed


def _attempt(config: PretrainConfig, parent: int) -> Record:
    try:
        return run_once(config, parent)
    except Exception:  # One bad run should not keep others from being done.
        return {"config": config.identity(), "error": traceback.format_exc()}


def run_once(config: PretrainConfig, parent: int | None = None) -> Record:
    r"""Does one run and returns its record. If a parent is given, the process does
    not outlive it.
    """
    if parent is not None:
        end_with(parent)
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        dataset = load_for(config)
        began = time.perf_counter()
        run(config, dataset, folder, evaluate_untrained=False)
        seconds = time.perf_counter() - began
        records = RunFolder(folder).read_records()
    epochs = [record for record in records if record["type"] == "epoch"]
    (evaluation,) = (record for record in records if record["type"] == "evaluation")
    return {
        "config": config.identity(),
        **environment(config.device),
        "seconds": round(seconds, 2),
        "mean": evaluation["mean"],
        "evaluation": {
            key: evaluation[key]
            for key in ("fold_scores", "chosen_c", "metric", "valid", "seconds")
            if key in evaluation
        },
        "epochs": _columns(epochs),
    }


class Clock:
    r"""Says how long a sweep will take, by what runs like those left have taken."""

    def __init__(self, done: Iterable[Record], left: Iterable[PretrainConfig]) -> None:
        self.left: dict[str, int] = {}
        for config in left:
            kind = _kind(asdict(config))
            self.left[kind] = self.left.get(kind, 0) + 1
        self.seconds: dict[str, list[float]] = {}
        for record in done:
            self._learn(record)
        self.began = time.perf_counter()
        self.worked = 0.0

    def left_after(self, record: Record) -> float:
        r"""Learns from a run and returns how many minutes are left."""
        kind = _kind(record["config"])
        self._learn(record)
        self.left[kind] -= 1
        self.worked += record["seconds"]
        # Several runs side by side get through more than a second each second.
        speed = self.worked / (time.perf_counter() - self.began)
        means = {kind: mean(seconds) for kind, seconds in self.seconds.items()}
        # What nothing is known of is thought to take as long as the slowest.
        slowest = max(means.values())
        work = sum(number * means.get(k, slowest) for k, number in self.left.items())
        return work / speed / 60

    def _learn(self, record: Record) -> None:
        self.seconds.setdefault(_kind(record["config"]), []).append(record["seconds"])


def _kind(config: Record) -> str:
    r"""What decides how long a run takes, by and large."""
    keys = ("dataset", "framework", "num_epochs", "hidden_channels", "batch_size")
    return " ".join(str(config[key]) for key in keys)


def unfinished(
    configs: Iterable[PretrainConfig], records: Iterable[Record]
) -> list[PretrainConfig]:
    r"""Returns the configurations that have no record. For records made before a field
    was added to the configuration, see :meth:`PretrainConfig.from_saved`.
    """
    done = {key_of(record["config"]) for record in records}
    # What two grids of a study share is run once.
    wanted = {key_of(config.identity()): config for config in configs}
    return [config for key, config in wanted.items() if key not in done]


def key_of(config: Record) -> str:
    r"""Tells runs apart, by what :meth:`PretrainConfig.identity` gives."""
    if _FIELDS - config.keys():
        config = PretrainConfig.from_saved(config).identity() | config
    known = {key: value for key, value in config.items() if key not in PLACES}
    return json.dumps(known, sort_keys=True)


def read_all(folder: Path = RESULTS) -> list[Record]:
    r"""Reads the records of all studies."""
    return [
        record for name in STUDIES for record in read_records(folder / f"{name}.jsonl")
    ]


def _drop_cut_line(path: Path) -> None:
    if path.exists():
        text = path.read_bytes()
        with path.open("r+b") as file:
            file.truncate(text.rfind(b"\n") + 1)


def _columns(epochs: Sequence[Record]) -> dict[str, list[float | None]]:
    r"""The measures, each with a value for every epoch, to four digits."""
    return {
        name: [
            None if epoch.get(name) is None else float(f"{epoch[name]:.4g}")
            for epoch in epochs
        ]
        for name in _MEASURES
        if epochs
    }


if __name__ == "__main__":
    typer.run(main)
