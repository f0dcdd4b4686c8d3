r"""Samplers side by side: same seeds, same initial weights, same steps."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from rich.table import Table
from torch_geometric.data import InMemoryDataset

from pyg_prosampler.build import labels_of
from pyg_prosampler.config import PretrainConfig
from pyg_prosampler.experiment import run
from pyg_prosampler.hardness import uniform_floor
from pyg_prosampler.records import RunFolder, environment

UNTRAINED = "untrained"


def compare(
    config: PretrainConfig,
    dataset: InMemoryDataset,
    samplers: Sequence[str],
    seeds: Sequence[int],
    folder: Path | str,
    *,
    on_run: Callable[[PretrainConfig], dict[str, Callable[..., None]]] | None = None,
) -> dict[str, Any]:
    r"""Runs every sampler with every seed, one run folder each in
    :obj:`folder/sampler/seed`, and an untrained encoder for every seed in
    :obj:`folder/untrained/seed`, and summarises them. Runs that have finished
    with the same configuration are not run again.

    Args:
        config (PretrainConfig): The configuration; its sampler and seed are
            replaced.
        dataset (InMemoryDataset): Its data set.
        samplers (Sequence[str]): The samplers.
        seeds (Sequence[int]): The seeds.
        folder (Path or str): The folder.
        on_run (Callable, optional): Is told of every run that begins and may
            return the arguments :obj:`on_step` and :obj:`on_epoch` of
            :meth:`~pyg_prosampler.experiment.run`. (default: :obj:`None`)

    Returns:
        dict: The summary, as written to :obj:`summary.json`: the configuration,
        the command, versions, machine, the rows of :meth:`summarize` and the
        false-negative rate of uniform batches.

    Raises:
        ValueError: If there are no epochs, so that nothing would be compared.
    """
    if config.num_epochs < 1:
        raise ValueError(
            f"`num_epochs` should be at least 1 to compare samplers (got "
            f"{config.num_epochs}); an untrained encoder is in every comparison"
        )
    top = RunFolder(folder)
    whole = asdict(config) | {"sampler": list(samplers), "seed": list(seeds)}
    top.write_config(whole)
    for seed in seeds:
        untrained = replace(config, sampler="uniform", seed=seed, num_epochs=0)
        run_once(untrained, dataset, run_path(folder, UNTRAINED, seed))
        for sampler in samplers:
            one = replace(config, sampler=sampler, seed=seed)
            run_once(one, dataset, run_path(folder, sampler, seed), on_run)
    rows = summarize(folder, samplers, seeds)
    labels = labels_of(dataset)
    floor = None if labels is None else uniform_floor(labels)
    summary = {
        "config": whole,
        **environment(config.device),
        "rows": rows,
        "false_negative_floor": floor,
    }
    top.write_json("summary.json", summary)
    return summary


def run_once(
    config: PretrainConfig,
    dataset: InMemoryDataset,
    path: Path,
    on_run: Callable[[PretrainConfig], dict[str, Callable[..., None]]] | None = None,
) -> None:
    r"""Does one run of a comparison, unless it is finished."""
    if not is_finished(path, config):
        callbacks = on_run(config) if on_run is not None else {}
        run(config, dataset, path, evaluate_untrained=False, **callbacks)


def run_path(folder: Path | str, sampler: str, seed: int) -> Path:
    r"""The folder of one run."""
    return Path(folder) / sampler / f"seed{seed}"


def is_finished(path: Path, config: PretrainConfig) -> bool:
    r"""Whether a folder holds a finished run of this configuration."""
    if not (path / "embeddings.pt").exists():
        return False
    done = PretrainConfig.from_saved(RunFolder(path).read_config())
    return done.identity() == config.identity()


def summarize(
    folder: Path | str, samplers: Sequence[str], seeds: Sequence[int]
) -> list[dict[str, Any]]:
    r"""Reads the records of :meth:`compare` and returns one row for the
    untrained encoder and one for every sampler: accuracies by seed, their mean
    and standard deviation, the standard deviation over folds, and the means over
    epochs and seeds of in-batch similarity (and of all pairs on the same
    embeddings), false-negative rate and seconds.
    """
    records = {
        (sampler, seed): RunFolder(run_path(folder, sampler, seed)).read_records()
        for sampler in (UNTRAINED, *samplers)
        for seed in seeds
    }
    untrained = {seed: records[UNTRAINED, seed] for seed in seeds}
    rows: list[dict[str, Any]] = [{"sampler": UNTRAINED, **_accuracy(untrained)}]
    for sampler in samplers:
        runs = {seed: records[sampler, seed] for seed in seeds}
        epochs = [
            record
            for run_records in runs.values()
            for record in run_records
            if record["type"] == "epoch"
        ]
        rows.append(
            {
                "sampler": sampler,
                **_accuracy(runs),
                "similarity": _mean_of(epochs, "similarity"),
                "similarity_floor": _mean_of(epochs, "similarity_floor"),
                "false_negative_rate": _mean_of(epochs, "false_negative_rate"),
                "fill_rate": _mean_of(epochs, "fill_rate"),
                "num_steps": sum(epoch["num_steps"] for epoch in epochs) // len(seeds),
                "sampler_seconds": (
                    sum(epoch["sampler_seconds"] for epoch in epochs) / len(seeds)
                ),
                "seconds": sum(epoch["seconds"] for epoch in epochs) / len(seeds),
            }
        )
    return rows


def describe_comparison(summary: dict[str, Any]) -> str:
    r"""Returns the title of a summary's table."""
    config = summary["config"]
    seeds = ", ".join(map(str, config["seed"]))
    return (
        f"{config['dataset']}, {config['protocol']}, {config['num_epochs']} epochs, "
        f"{summary['rows'][-1]['num_steps']} steps of {config['batch_size']}, "
        f"seeds {seeds}\n"
    )


def to_table(rows: list[dict[str, Any]], title: str, floor: float | None) -> Table:
    r"""Lays out the rows of :meth:`summarize` for the terminal."""
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    table.add_column("sampler", no_wrap=True)
    for heading in (
        f"{rows[0].get('metric', 'accuracy')} %\n± seeds",
        "± folds",
        "similarity\nbatch / all",
        "false neg.\nbatch / floor",
        "sampler\nseconds",
        "training\nseconds",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row["sampler"],
            f"{100 * row['mean']:.2f} ± {100 * row['std_over_seeds']:.2f}"
            if row["std_over_seeds"] is not None
            else f"{100 * row['mean']:.2f}",
            _format(row["std_over_folds"], ".2%").rstrip("%"),
            _beside(row.get("similarity"), row.get("similarity_floor")),
            _beside(row.get("false_negative_rate"), floor),
            _format(row.get("sampler_seconds"), ".2f"),
            _format(row.get("seconds"), ".2f"),
        )
    return table


def _accuracy(runs: dict[int, list[dict[str, Any]]]) -> dict[str, Any]:
    # What a run evaluates last is what it has made.
    scores = [records[-1] for records in runs.values()]
    means = [score["mean"] for score in scores]
    return {
        "metric": scores[0].get("metric", "accuracy"),
        "mean": mean(means),
        "std_over_seeds": stdev(means) if len(means) > 1 else None,
        "std_over_folds": _mean_of(scores, "std_over_folds"),
        "accuracies": means,
    }


def _mean_of(epochs: list[dict[str, Any]], key: str) -> float | None:
    values = [epoch[key] for epoch in epochs if epoch.get(key) is not None]
    return mean(values) if values else None


def _format(value: float | None, spec: str) -> str:
    return "" if value is None else format(value, spec)


def _beside(value: float | None, floor: float | None) -> str:
    return "" if value is None else f"{value:.3f} / {_format(floor, '.3f')}"
