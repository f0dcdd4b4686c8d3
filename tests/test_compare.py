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
    # Not with another configuration, nor if they were cut short.
    changed = replace(config, num_epochs=1)
    compare(changed, dataset, ["uniform"], [0], tmp_path / "o", on_run=on_run)
    assert len(begun) == 3
    path = run_path(tmp_path / "o", "uniform", 1)
    assert is_finished(path, replace(config, sampler="uniform", seed=1))
    (path / "embeddings.pt").unlink()
    assert not is_finished(path, replace(config, sampler="uniform", seed=1))


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
