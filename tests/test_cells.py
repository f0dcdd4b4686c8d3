from dataclasses import replace
from itertools import combinations
from statistics import mean, stdev

import pytest

from benchmarks.graph import grids, studies
from benchmarks.graph import render as module
from benchmarks.graph.cells import Cells
from benchmarks.graph.grids import exploring, reported
from benchmarks.graph.grids.grid import (
    CONFIRMING_SEEDS,
    PROSAMPLER,
    SEEDS,
    TUNING_SEEDS,
    UNIFORM,
    Grid,
)
from benchmarks.graph.pictures import draw_false_negatives
from benchmarks.graph.render import (
    accuracies,
    against_published,
    batches,
    choice,
    costs,
    dials,
    differences,
    pooled,
    spreads,
)
from benchmarks.graph.sweep import key_of

GRID = Grid(
    {"GraphCL": UNIFORM, "GraphCL + ProSampler": PROSAMPLER},
    ("MUTAG", "NCI1"),
    range(6),
)
UNIFORM_SCORES = [80.0, 82.0, 81.0, 84.0, 83.0, 82.0]
# The paired t-test's p-value is 0.04.
GAINS = [0.2, 3.0, 0.2, 2.0, 0.4, 2.6]


def record_of(config, score, folds=(0.5, 0.7)):
    return {
        "config": config.identity(),
        "commit": "abc",
        "versions": {"torch": "2", "torch-geometric": "3"},
        "machine": {"processor": "P", "gpu": None},
        "seconds": 30.0,
        "mean": score / 100,
        "evaluation": {"fold_scores": [list(folds)]},
        "epochs": {
            "similarity": [None, 0.2, 0.4],
            "false_negative_rate": [0.9, 0.5, 0.7],
        },
    }


@pytest.fixture
def records():
    r"""MUTAG alone, where ProSampler is better."""
    out = []
    for seed, score in enumerate(UNIFORM_SCORES):
        better = score + GAINS[seed]
        for name, value in (("GraphCL", score), ("GraphCL + ProSampler", better)):
            out.append(record_of(GRID.config(name, "MUTAG", seed), value))
    return out


def rows_of(table):
    lines = table.split("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in [cells[0], *cells[2:]]}


def test_accuracies(records):
    table = accuracies(Cells(GRID, records), module.PUBLISHED)
    rows = rows_of(table)
    assert rows[""] == ["MUTAG", "NCI1"]
    spread = stdev(UNIFORM_SCORES)
    assert rows["GraphCL"] == [f"{mean(UNIFORM_SCORES):.2f} ± {spread:.2f}", ""]
    assert "*86.80 ± 1.34*" in table
    few = rows_of(accuracies(Cells(GRID, records[:6])))
    assert few["GraphCL"][0] == "81.00 ± 1.00 (3)"
    assert "12 runs, 6 CPU minutes, seeds 0 to 5; commit abc, torch 2" in table
    assert "published" not in accuracies(Cells(GRID, records))
    assert accuracies(Cells(GRID, [])) == "*No record yet.*"


def test_choice_is_among_rows_that_all_data_sets_have(records):
    config = GRID.config("GraphCL", "NCI1", 0)
    rows = rows_of(choice(Cells(GRID, [*records, record_of(config, 60.0)])))
    del rows[""]
    assert rows == {"GraphCL": [f"{(mean(UNIFORM_SCORES) + 60.0) / 2:.2f}"]}


def test_differences(records):
    cells = Cells(GRID, records)
    rows = rows_of(differences(cells, [("GraphCL + ProSampler", "GraphCL")]))
    (label, found), published = list(rows.items())[1:]
    assert label == "GraphCL + ProSampler against GraphCL"
    assert found[0].startswith("+1.40\\* [+0.")
    assert found[0].endswith("]")
    assert found[1] == ""
    assert published[1] == ["*+0.98*", "*+1.06*"]


def test_a_row_against_several_baselines(records):
    pairs = [("GraphCL + ProSampler", "GraphCL"), ("GraphCL + ProSampler",) * 2]
    rows = list(rows_of(differences(Cells(GRID, records), pairs)).items())
    assert rows[1][1][0].startswith("+1.40")
    assert rows[-1][1][0].startswith("+0.00")


def test_stars_are_corrected_for_the_number_of_cells(records):
    records += [
        {**record, "config": record["config"] | {"dataset": "NCI1", "batch_size": 128}}
        for record in records
    ]
    table = differences(Cells(GRID, records), [("GraphCL + ProSampler", "GraphCL")])
    assert "\\*" not in table
    assert table.count("+1.40 [+0.") == 2


def test_differences_are_those_of_common_seeds(records):
    known = [r for r in records if (r["config"]["seed"], r["mean"]) != (0, 0.80)]
    cells = Cells(GRID, known)
    found = cells.difference("GraphCL + ProSampler", "GraphCL", "MUTAG")
    assert found.mean == pytest.approx(mean(GAINS[1:]))
    pairs = [("GraphCL + ProSampler", "GraphCL")]
    row = rows_of(differences(cells, pairs))["GraphCL + ProSampler against GraphCL"]
    assert row[0].endswith("] (5)")
    assert cells.difference("GraphCL + ProSampler", "GraphCL", "NCI1") is None


def test_pooled(records):
    records += [
        {**record, "config": record["config"] | {"dataset": "NCI1", "batch_size": 128}}
        for record in records[:4]
    ]
    table = pooled(Cells(GRID, records), [("GraphCL + ProSampler", "GraphCL")])
    gaps = [*GAINS, *GAINS[:2]]
    error = stdev(gaps) / 8**0.5
    found = rows_of(table)["GraphCL + ProSampler"]
    assert found == ["GraphCL", f"{mean(gaps):+.2f} ± {error:.2f}", "8"]


def test_changes_are_compared_with_the_same_change_of_uniform_batches():
    pairs = dict(studies._against_uniform(exploring.EXPLORE))
    assert pairs["ProSampler"] == "uniform"
    assert pairs["several starts, HCL"] == "uniform, HCL"
    assert pairs["ProSampler, K = 20"] == "uniform"
    assert "uniform, HCL" not in pairs


def test_rows_of_two_studies_stand_in_one_table(records):
    # The same configurations, so that they could be no rows of one grid.
    changed = replace(GRID, rows={"changed": UNIFORM}, seeds=range(5))
    marked = [r | {"mean": r["mean"] + 0.01} for r in records]
    both = Cells(changed, marked) | Cells(GRID, records)
    assert list(rows_of(accuracies(both))) == ["", "changed", *GRID.rows]
    assert both.grid.seeds == range(5)
    gap = both.difference("changed", "GraphCL", "MUTAG")
    assert (gap.num_pairs, round(gap.mean, 6)) == (5, 1.0)


def test_against_published(records):
    rows = rows_of(against_published(Cells(GRID, records)))
    gap = mean(UNIFORM_SCORES) - 86.80
    error = (stdev(UNIFORM_SCORES) ** 2 / 6 + 1.34**2 / 5) ** 0.5
    assert rows["GraphCL"] == [f"{gap:+.2f} ({gap / error:+.1f})", ""]


def test_spreads(records):
    rows = rows_of(spreads(Cells(GRID, records), ["GraphCL"]))
    assert rows["GraphCL, over seeds"][0] == f"{stdev(UNIFORM_SCORES):.2f}"
    assert rows["GraphCL, over folds"][0] == f"{100 * stdev([0.5, 0.7]):.2f}"
    assert rows["GraphCL, CPU seconds a run"] == ["30.0", ""]


def test_dials_leave_warm_up_out(monkeypatch, records):
    grid = Grid(GRID.rows, ("MUTAG",), GRID.seeds)
    monkeypatch.setattr(module, "DIALS", {"GraphCL": 70.0})
    rows = rows_of(dials(Cells(grid, records)))
    assert rows["GraphCL"][0] == "70.00"
    assert rows["GraphCL"][2:] == ["0.300", "0.600"]
    assert rows["GraphCL + ProSampler"][0] == ""
    few = rows_of(dials(Cells(grid, records[:6])))
    assert few["GraphCL"][1] == "81.00 ± 1.00 (3)"


def test_batches(records):
    for record in records:
        record["epochs"] |= {
            "similarity_floor": [None, 0.1, 0.1],
            "sampler_seconds": [0.0, 1.0, 1.0],
            "seconds": [1.0, 2.0, 3.0],
        }
    grid = Grid({"untrained": UNIFORM | {"num_epochs": 0}} | GRID.rows, ("MUTAG",))
    untrained = [
        {**record_of(grid.config("untrained", "MUTAG", seed), 70.0), "epochs": {}}
        for seed in (0, 1)
    ]
    assert batches(Cells(grid, untrained), "GraphCL").count("\n") == 3  # No row.
    table = batches(Cells(grid, records + untrained), "GraphCL")
    lines = [line.split("|")[1:-1] for line in table.split("\n\n")[0].splitlines()]
    rows = {line[1].strip(): [cell.strip() for cell in line[2:]] for line in lines[2:]}
    error = stdev(GAINS) / 6**0.5
    assert rows["GraphCL"][1:] == ["", "0.300 / 0.100", "0.600 / 0.600", "2.0 / 6.0"]
    assert rows["GraphCL + ProSampler"][1] == f"+1.40 ± {error:.2f}"
    assert rows["untrained"] == ["70.00 ± 0.00", "-11.00 ± 1.00", "", "", ""]
    # No error bar from a single seed.
    table = batches(Cells(grid, records + untrained[:1]), "GraphCL")
    assert "| untrained | 70.00 |  |" in table


def test_costs(records):
    rows = rows_of(costs({"one": records, "none": []}))
    assert rows["one"] == ["12", "6"]
    assert rows["none"] == ["0", "0"]


def test_every_run_of_a_grid_is_different():
    for name, study in grids.STUDIES.items():
        keys = [key_of(config.identity()) for grid in study for config in grid]
        # The defaults stand in both tables of COLLAB; rows of NCI1 and those with
        # norms recomputed in two.
        twice = {"collab": 5, "explore": 66}.get(name, 0)
        assert len(keys) - len(set(keys)) == twice, name


def test_seeds_serve_one_purpose():
    purposes = SEEDS, TUNING_SEEDS, CONFIRMING_SEEDS
    for one, other in combinations(purposes, 2):
        assert not set(one) & set(other)


def test_rows_that_are_compared_exist():
    for grid, pairs in (
        (reported.TABLE3, studies._PROSAMPLER + studies._KNN),
        (reported.NORMS, studies._NORMS),
        (reported.CONFIRM, studies._NORMS),
        (reported.MVGRL, studies._MVGRL),
        (reported.MVGRL_WIDE, studies._MVGRL),
        (reported.OBJECTIVES, studies._OBJECTIVE_PAIRS),
        (reported.ABLATIONS, studies._ABLATIONS),
        (reported.BOUND, studies._BOUND),
        (reported.SUMMARY, studies._GRAPHCL + studies._NORMS[:2]),
        (reported.TRANSFER, studies._GRAPHCL),
        (exploring.CHOSEN, studies._CHOSEN),
        (exploring.CHOSEN_MVGRL, studies._CHOSEN_MVGRL),
    ):
        for pair in pairs:
            assert set(pair) <= set(grid.rows)
    assert set(module.PUBLISHED) <= set(reported.TABLE3.rows) | set(reported.MVGRL.rows)
    assert set(module.DIALS) <= set(reported.TABLE4.rows) | set(reported.TABLE5.rows)


def test_false_negatives_are_drawn_for_what_has_been_run(records, tmp_path):
    cells = Cells(Grid(reported.TABLE3.rows, ("MUTAG", "NCI1"), GRID.seeds), records)
    paths = draw_false_negatives(cells, tmp_path / "picture")
    assert [path.suffix for path in paths] == [".png", ".svg"]
    text = paths[1].read_text()
    assert "MUTAG" in text
    assert "NCI1" not in text
    assert "GraphCL + ProSampler" in text
    assert "kNN" not in text
    assert draw_false_negatives(Cells(reported.TABLE3, []), tmp_path / "none") == []
