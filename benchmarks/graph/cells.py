r"""Tables of studies: a row for each row of a grid, a column for each data set."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from benchmarks.graph.grids import Grid
from benchmarks.graph.published import DIALS, PUBLISHED
from benchmarks.graph.statistics import Difference, holm, paired_difference
from benchmarks.graph.sweep import Record, identity, key_of

Pairs = Sequence[tuple[str, str]]


class Cells:
    r"""The records of a grid by row and data set.

    Args:
        grid (Grid): The grid.
        records (Iterable[dict]): Records of any studies.
    """

    def __init__(self, grid: Grid, records: Iterable[Record]) -> None:
        self.grid = grid
        by_key = {key_of(record["config"]): record for record in records}
        self.records: dict[tuple[str, str], dict[int, Record]] = {
            (name, dataset): {
                seed: by_key[key]
                for seed in grid.seeds
                if (key := key_of(identity(grid.config(name, dataset, seed)))) in by_key
            }
            for name in grid.rows
            for dataset in grid.datasets
        }

    def all(self) -> list[Record]:
        r"""All records that were found."""
        return [record for cell in self.records.values() for record in cell.values()]

    def scores(self, name: str, dataset: str) -> dict[int, float]:
        r"""The scores of a cell in %, by seed."""
        return {
            seed: 100 * record["mean"]
            for seed, record in self.records.get((name, dataset), {}).items()
        }

    def difference(self, name: str, baseline: str, dataset: str) -> Difference | None:
        r"""A row less its baseline, over the seeds that both have."""
        first, second = (self.scores(row, dataset) for row in (baseline, name))
        seeds = sorted(first.keys() & second.keys())
        if len(seeds) < 3:
            return None
        return paired_difference([first[s] for s in seeds], [second[s] for s in seeds])


def accuracies(
    cells: Cells, published: Mapping[str, Mapping[str, tuple[float, float]]] = {}
) -> str:
    r"""Mean and standard deviation over the seeds, and below it what was published."""
    lines = []
    for name in cells.grid.rows:
        values = [list(cells.scores(name, d).values()) for d in cells.grid.datasets]
        lines.append([name, *map(_mean_and_spread, values)])
        theirs = published.get(name, {})
        if theirs:
            lines.append(
                ["*published*"]
                + [
                    "*{:.2f} ± {:.2f}*".format(*theirs[dataset])
                    if dataset in theirs
                    else ""
                    for dataset in cells.grid.datasets
                ]
            )
    return _with_source(cells, markdown(["", *cells.grid.datasets], lines))


def differences(cells: Cells, pairs: Pairs) -> str:
    r"""Rows less their baselines, seed by seed, with a star where the t-test says
    so after correction for all cells; below, the difference that was published.
    """
    found = {
        (name, dataset): difference
        for name, baseline in pairs
        for dataset in cells.grid.datasets
        if (difference := cells.difference(name, baseline, dataset)) is not None
    }
    corrected = dict(
        zip(found, holm([one.p_value for one in found.values()]), strict=True)
    )
    lines = []
    for name, baseline in pairs:
        lines.append(
            [f"{name} against {baseline}"]
            + [
                _interval(found[name, dataset], corrected[name, dataset])
                if (name, dataset) in found
                else ""
                for dataset in cells.grid.datasets
            ]
        )
        ours, theirs = PUBLISHED.get(name, {}), PUBLISHED.get(baseline, {})
        if ours and theirs:
            lines.append(
                ["*published*"]
                + [
                    f"*{ours[dataset][0] - theirs[dataset][0]:+.2f}*"
                    if dataset in ours
                    else ""
                    for dataset in cells.grid.datasets
                ]
            )
    return markdown(["", *cells.grid.datasets], lines)


def against_published(cells: Cells) -> str:
    r"""Our means less the published ones, in brackets in standard errors."""
    lines = []
    for name, theirs in PUBLISHED.items():
        if name not in cells.grid.rows:
            continue
        line = [name]
        for dataset in cells.grid.datasets:
            ours = list(cells.scores(name, dataset).values())
            if len(ours) < 3 or dataset not in theirs:
                line.append("")
                continue
            there, spread = theirs[dataset]
            gap = mean(ours) - there
            error = (stdev(ours) ** 2 / len(ours) + spread**2 / 5) ** 0.5
            line.append(f"{gap:+.2f} ({gap / error:+.1f})")
        lines.append(line)
    return markdown(["", *cells.grid.datasets], lines)


def dials(cells: Cells) -> str:
    r"""A row for each setting of a dial: what was published, our mean, similarity
    within batches and the share of false negatives.
    """
    (dataset,) = cells.grid.datasets
    lines = []
    for name in cells.grid.rows:
        records = list(cells.records[name, dataset].values())
        if not records:
            continue
        measures = [
            mean(_after_warmup(record, key) for record in records)
            for key in ("similarity", "false_negative_rate")
        ]
        lines.append(
            [
                name,
                f"{DIALS[name]:.2f}" if name in DIALS else "",
                _mean_and_spread([100 * record["mean"] for record in records]),
                *(f"{measure:.3f}" for measure in measures),
            ]
        )
    head = ["", "published", dataset, "similarity in batches", "false negatives"]
    return _with_source(cells, markdown(head, lines))


def spreads(cells: Cells, names: Sequence[str]) -> str:
    r"""Standard deviations over seeds and over folds, and seconds of a run."""
    lines = []
    for name in names:
        for measure in ("over seeds", "over folds", "CPU seconds a run"):
            line = [f"{name}, {measure}"]
            for dataset in cells.grid.datasets:
                records = list(cells.records[name, dataset].values())
                if len(records) < 3:
                    line.append("")
                elif measure == "over seeds":
                    line.append(f"{stdev(100 * r['mean'] for r in records):.2f}")
                elif measure == "over folds":
                    folds = [stdev(_folds(record)) for record in records]
                    line.append(f"{100 * mean(folds):.2f}")
                else:
                    line.append(f"{mean(r['seconds'] for r in records):.1f}")
            lines.append(line)
    return markdown(["", *cells.grid.datasets], lines)


def costs(grids: dict[str, Sequence[Cells]]) -> str:
    r"""How many runs a study has, and how long they took on one core each."""
    lines = []
    for name, cells in grids.items():
        records = [record for one in cells for record in one.all()]
        if records:
            minutes = sum(record["seconds"] for record in records) / 60
            lines.append([name, str(len(records)), f"{minutes:.0f}"])
    return markdown(["study", "runs", "CPU minutes"], lines)


def markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    r"""A table."""
    rows = [list(head), ["---"] * len(head), *map(list, lines)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _with_source(cells: Cells, table: str) -> str:
    records = cells.all()
    if not records:
        return "*No record yet.*"
    first = records[0]
    commits = sorted({record["commit"] for record in records})
    machines = sorted({_machine(record) for record in records})
    versions = ", ".join(
        f"{name} {first['versions'][name]}" for name in ("torch", "torch-geometric")
    )
    minutes = sum(record["seconds"] for record in records) / 60
    source = (
        f"{len(records)} runs, {minutes:.0f} CPU minutes, seeds "
        f"{cells.grid.seeds[0]} to {cells.grid.seeds[-1]}; commit "
        f"{', '.join(commits)}, {versions}, one thread on {', '.join(machines)}."
    )
    return f"{table}\n\n{source}"


def _after_warmup(record: Record, measure: str) -> float:
    return mean(record["epochs"][measure][record["config"]["num_warmup_epochs"] :])


def _machine(record: Record) -> str:
    machine: dict[str, Any] = record["machine"]
    return machine["gpu"] or machine["processor"]


def _folds(record: Record) -> list[float]:
    (scores,) = record["evaluation"]["fold_scores"]
    return scores


def _mean_and_spread(values: Sequence[float]) -> str:
    if not values:
        return ""
    spread = f" ± {stdev(values):.2f}" if len(values) > 1 else ""
    return f"{mean(values):.2f}{spread}"


def _interval(difference: Difference, corrected: float) -> str:
    star = "\\*" if corrected < 0.05 else ""
    low, high = difference.low, difference.high
    return f"{difference.mean:+.2f}{star} [{low:+.2f}, {high:+.2f}]"
