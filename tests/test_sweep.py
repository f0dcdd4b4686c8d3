import json
from dataclasses import replace

import pytest

from benchmarks.graph import sweep as module
from benchmarks.graph.sweep import read_records, run_once, sweep, unfinished
from pyg_prosampler.build import load_for
from pyg_prosampler.experiment import run
from pyg_prosampler.records import RunFolder


@pytest.fixture
def finished(config, tmp_path):
    r"""Records of two seeds."""
    path = tmp_path / "results" / "mini.jsonl"
    configs = [replace(config, seed=seed) for seed in (0, 1)]
    sweep(configs, path, num_jobs=1)
    return configs, path


def test_record_holds_what_the_run_folder_does(config, tmp_path):
    record = run_once(config)
    run(config, load_for(config), tmp_path / "run", evaluate_untrained=False)
    *epochs, evaluation = RunFolder(tmp_path / "run").read_records()
    assert record["mean"] == evaluation["mean"]
    assert record["evaluation"]["fold_scores"] == evaluation["fold_scores"]
    losses = [epoch["loss"] for epoch in epochs]
    assert [epoch["loss"] for epoch in record["epochs"]] == pytest.approx(losses, 1e-4)
    assert record["config"]["seed"] == config.seed
    assert "root" not in record["config"]
    assert {"commit", "versions", "machine", "command"} <= set(record)


def test_untrained_encoder_is_a_run_of_no_epochs(config, tmp_path):
    untrained = run_once(replace(config, num_epochs=0))
    assert untrained["epochs"] == []
    run(config, load_for(config), tmp_path / "run")
    first = RunFolder(tmp_path / "run").read_records()[0]
    assert first["stage"] == "untrained"
    assert untrained["mean"] == first["mean"]


def test_finished_runs_are_not_run_again(finished, monkeypatch):
    configs, path = finished
    elsewhere = [replace(config, mirror="file:///elsewhere") for config in configs]
    other = replace(configs[0], seed=2)
    assert unfinished([*elsewhere, other], read_records(path)) == [other]
    monkeypatch.setattr(module, "run_once", None)
    sweep([], path, num_jobs=1)
    assert len(read_records(path)) == 2


def test_line_cut_short_is_left_out_and_overwritten(finished):
    configs, path = finished
    whole = path.read_text()
    path.write_text(whole[:-30])
    assert len(read_records(path)) == 1
    left = unfinished(configs, read_records(path))
    assert len(left) == 1
    sweep(left, path, num_jobs=1)
    records = read_records(path)
    assert len(records) == 2
    assert sorted(record["config"]["seed"] for record in records) == [0, 1]
    means = {record["config"]["seed"]: record["mean"] for record in records}
    before = [json.loads(line) for line in whole.splitlines()]
    assert means == {record["config"]["seed"]: record["mean"] for record in before}
