import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from pyg_prosampler.build import load_for
from pyg_prosampler.compare import compare, is_finished, run_path, to_table
from pyg_prosampler.records import RunFolder


def test_rows_equal_the_records(config, tmp_path):
    dataset = load_for(config)
    rows = compare(config, dataset, ["uniform", "prosampler"], [0, 1], tmp_path / "o")[
        "rows"
    ]
    assert [row["sampler"] for row in rows] == ["untrained", "uniform", "prosampler"]
    for row in rows[1:]:
        records = [
            record
            for seed in (0, 1)
            for record in RunFolder(
                run_path(tmp_path / "o", row["sampler"], seed)
            ).read_records()
        ]
        scores = [r["mean"] for r in records if r.get("stage") == "trained"]
        assert row["accuracies"] == scores
        assert row["mean"] == pytest.approx(sum(scores) / 2)
        epochs = [r for r in records if r["type"] == "epoch"]
        assert len(epochs) == 4
        assert row["similarity"] == pytest.approx(
            sum(epoch["similarity"] for epoch in epochs) / 4
        )
        assert row["num_steps"] == 6
    summary = json.loads((tmp_path / "o" / "summary.json").read_text())
    assert summary["rows"] == rows
    assert summary["false_negative_floor"] == pytest.approx(0.5)


def test_finished_runs_are_kept(config, tmp_path):
    dataset = load_for(config)
    begun = []

    def on_run(one):
        begun.append((one.sampler, one.seed))
        return {}

    compare(config, dataset, ["uniform"], [0], tmp_path / "o", on_run=on_run)
    compare(config, dataset, ["uniform"], [0, 1], tmp_path / "o", on_run=on_run)
    assert begun == [("uniform", 0), ("uniform", 1)]
    # Wherever the data come from by then.
    elsewhere = replace(config, root="elsewhere", mirror="file:///nowhere")
    compare(elsewhere, dataset, ["uniform"], [0, 1], tmp_path / "o", on_run=on_run)
    assert len(begun) == 2
    # Not with another configuration.
    changed = replace(config, num_epochs=1)
    compare(changed, dataset, ["uniform"], [0], tmp_path / "o", on_run=on_run)
    assert begun[2:] == [("uniform", 0)]


@pytest.mark.parametrize("after", ["uniform", "knn"])
def test_samplers_may_be_added_reordered_and_left_out(config, tmp_path, after):
    dataset, folder = load_for(config), tmp_path / "o"
    before = compare(config, dataset, ["prosampler", after], [0], folder)["rows"]
    for samplers in ([after, "prosampler"], [after]):
        rows = compare(config, dataset, samplers, [0], folder)["rows"]
        assert [row["sampler"] for row in rows] == ["untrained", *samplers]
        for row in rows:
            assert row in before


def test_a_run_that_is_interrupted_is_not_finished(config, tmp_path):
    dataset, folder = load_for(config), tmp_path / "o"
    compare(config, dataset, ["uniform"], [0], folder)
    longer = replace(config, num_epochs=3, sampler="uniform")

    def interrupt(step):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(
            longer, dataset, ["uniform"], [0], folder,
            on_run=lambda one: {"on_step": interrupt},
        )  # fmt: skip
    assert not is_finished(run_path(folder, "uniform", 0), longer)
    (_, row) = compare(longer, dataset, ["uniform"], [0], folder)["rows"]
    assert row["num_steps"] == 9


def test_nothing_to_compare_without_epochs(config, tmp_path):
    untrained = replace(config, num_epochs=0)
    with pytest.raises(ValueError, match=r"`num_epochs` should be at least 1.*got 0"):
        compare(untrained, load_for(config), ["uniform"], [0], tmp_path / "o")
    assert not (tmp_path / "o").exists()


def test_table_fits_a_terminal(config, tmp_path):
    dataset = load_for(config)
    rows = compare(config, dataset, ["uniform", "prosampler"], [0, 1], tmp_path / "o")[
        "rows"
    ]
    buffer = io.StringIO()
    Console(file=buffer, width=80).print(to_table(rows, "title", 0.5))
    text = buffer.getvalue()
    for word in ("untrained", "uniform", "prosampler", "batch / all", "/ 0.500"):
        assert word in text
    assert "…" not in text
