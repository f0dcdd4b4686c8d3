r"""Tables of studies: a row for each row of a grid, a column for each data set."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from benchmarks.graph.cells import Cells
from benchmarks.graph.grids.grid import Grid
from benchmarks.graph.published import DIALS, PUBLISHED
from benchmarks.graph.records import Record
from benchmarks.graph.statistics import Difference, holm

Pairs = Sequence[tuple[str, str]]


def accuracies(
    cells: Cells, published: Mapping[str, Mapping[str, tuple[float, float]]] = {}
) -> str:
    r"""Mean and standard deviation over the seeds, and below it what was published. If
    seeds are missing, a cell says in brackets how many it has.
    """
    lines = []
    for name in cells.grid.rows:
        lines.append(
            [name, *(_accuracy(cells, name, key) for key in cells.grid.datasets)]
        )
        theirs = published.get(name, {})
        lines += _published(
            cells.grid, {key: "{:.2f} ± {:.2f}".format(*theirs[key]) for key in theirs}
        )
    return _with_source(cells, markdown(["", *cells.grid.datasets], lines))


def choice(cells: Cells) -> str:
    r"""The mean over all data sets of every row that has been run on all of them."""
    lines = []
    for name in cells.grid.rows:
        scores = [cells.scores(name, dataset) for dataset in cells.grid.datasets]
        if all(scores):
            overall = mean(mean(one.values()) for one in scores)
            lines.append([name, f"{overall:.2f}"])
    return markdown(["", "mean over data sets"], lines)


def differences(cells: Cells, pairs: Pairs) -> str:
    r"""Rows less their baselines, seed by seed, with a star where the t-test says
    so after correction for all cells; below, the difference that was published.
    """
    found = {
        (name, baseline, dataset): difference
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
                _interval(found[key], corrected[key])
                + _count(found[key].num_pairs, cells.grid)
                if (key := (name, baseline, dataset)) in found
                else ""
                for dataset in cells.grid.datasets
            ]
        )
        ours, theirs = PUBLISHED.get(name, {}), PUBLISHED.get(baseline, {})
        gaps = {key: ours[key][0] - theirs[key][0] for key in ours if key in theirs}
        lines += _published(cells.grid, {key: f"{gaps[key]:+.2f}" for key in gaps})
    return markdown(["", *cells.grid.datasets], lines)


def pooled(cells: Cells, pairs: Pairs) -> str:
    r"""Rows less their baselines over all data sets and seeds: the mean and its
    standard error, which treats all runs alike.
    """
    lines = []
    for name, baseline in pairs:
        gaps = []
        for dataset in cells.grid.datasets:
            ours, theirs = (cells.scores(row, dataset) for row in (name, baseline))
            gaps += [ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs)]
        if len(gaps) > 1:
            error = stdev(gaps) / len(gaps) ** 0.5
            difference = f"{mean(gaps):+.2f} ± {error:.2f}"
            lines.append([name, baseline, difference, str(len(gaps))])
    return markdown(["", "against", "difference", "pairs of runs"], lines)


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
        records = cells.records[name, dataset]
        if records:
            lines.append(
                [
                    name,
                    f"{DIALS[name]:.2f}" if name in DIALS else "",
                    _accuracy(cells, name, dataset),
                    f"{_mean_of(records, 'similarity'):.3f}",
                    f"{_mean_of(records, 'false_negative_rate'):.3f}",
                ]
            )
    head = ["", "published", dataset, "similarity in batches", "false negatives"]
    return _with_source(cells, markdown(head, lines))


def batches(cells: Cells, baseline: str) -> str:
    r"""A row for each data set and row: accuracy, the difference to a baseline with its
    standard error, what batches are made of, and seconds.
    """
    lines = []
    for dataset in cells.grid.datasets:
        if not cells.records[baseline, dataset]:
            continue
        floor = _mean_of(cells.records[baseline, dataset], "false_negative_rate")
        for name in cells.grid.rows:
            records = cells.records[name, dataset]
            if not records:
                continue
            scores = cells.scores(name, dataset)
            difference = ""
            if name != baseline:
                first = cells.scores(baseline, dataset)
                gaps = [scores[s] - first[s] for s in sorted(scores.keys() & first)]
                if len(gaps) > 1:
                    error = stdev(gaps) / len(gaps) ** 0.5
                    difference = f"{mean(gaps):+.2f} ± {error:.2f}"
            line = [dataset, name, _mean_and_spread(list(scores.values())), difference]
            if any(record["epochs"] for record in records.values()):
                similarity, everywhere, rate = (
                    _mean_of(records, key)
                    for key in ("similarity", "similarity_floor", "false_negative_rate")
                )
                sampler, training = (
                    mean(sum(record["epochs"][key]) for record in records.values())
                    for key in ("sampler_seconds", "seconds")
                )
                line += [
                    f"{similarity:.3f} / {everywhere:.3f}",
                    f"{rate:.3f} / {floor:.3f}",
                    f"{sampler:.1f} / {training:.1f}",
                ]
            else:
                line += ["", "", ""]
            lines.append(line)
    head = [
        "data set",
        "policy",
        "accuracy",
        f"against {baseline}",
        "similarity, batch / all",
        "false negatives / floor",
        "sampler s / training s",
    ]
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


def costs(studies: Mapping[str, Sequence[Record]]) -> str:
    r"""How many runs each study has made, and how long they took on one core each."""
    lines = []
    for name, records in studies.items():
        minutes = sum(record["seconds"] for record in records) / 60
        lines.append([name, str(len(records)), f"{minutes:.0f}"])
    return markdown(["study", "runs", "CPU minutes"], lines)


def markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    r"""A table."""
    rows = [list(head), ["---"] * len(head), *map(list, lines)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _published(grid: Grid, values: Mapping[str, str]) -> list[list[str]]:
    r"""A line for what was published of a grid's data sets, if anything."""
    line = [f"*{values[key]}*" if key in values else "" for key in grid.datasets]
    return [["*published*", *line]] if any(line) else []


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


def _mean_of(records: Mapping[int, Record], measure: str) -> float:
    r"""The mean over seeds, and over the epochs after warm-up."""
    return mean(
        mean(record["epochs"][measure][record["config"]["num_warmup_epochs"] :])
        for record in records.values()
    )


def _machine(record: Record) -> str:
    machine: dict[str, Any] = record["machine"]
    return machine["gpu"] or machine["processor"]


def _folds(record: Record) -> list[float]:
    (scores,) = record["evaluation"]["fold_scores"]
    return scores


def _accuracy(cells: Cells, name: str, dataset: str) -> str:
    values = list(cells.scores(name, dataset).values())
    return _mean_and_spread(values) + _count(len(values), cells.grid)


def _count(number: int, grid: Grid) -> str:
    r"""The number of seeds, in brackets, where some are missing."""
    return f" ({number})" if 0 < number < len(grid.seeds) else ""


def _mean_and_spread(values: Sequence[float]) -> str:
    if not values:
        return ""
    spread = f" ± {stdev(values):.2f}" if len(values) > 1 else ""
    return f"{mean(values):.2f}{spread}"


def _interval(difference: Difference, corrected: float) -> str:
    star = "\\*" if corrected < 0.05 else ""
    low, high = difference.low, difference.high
    return f"{difference.mean:+.2f}{star} [{low:+.2f}, {high:+.2f}]"
