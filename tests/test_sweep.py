import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import typer

from benchmarks.graph import sweep as module
from benchmarks.graph.sweep import (
    Clock,
    only,
    read_records,
    run_once,
    sweep,
    unfinished,
)
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
    assert record["epochs"]["loss"] == pytest.approx(losses, 1e-3)
    assert record["config"]["seed"] == config.seed
    assert "root" not in record["config"]
    assert {"commit", "versions", "machine", "command"} <= set(record)


def test_untrained_encoder_is_a_run_of_no_epochs(config, tmp_path):
    untrained = run_once(replace(config, num_epochs=0))
    assert untrained["epochs"] == {}
    run(config, load_for(config), tmp_path / "run")
    first = RunFolder(tmp_path / "run").read_records()[0]
    assert first["stage"] == "untrained"
    assert untrained["mean"] == first["mean"]


def test_finished_runs_are_not_run_again(finished, monkeypatch):
    configs, path = finished
    elsewhere = [replace(config, mirror="file:///elsewhere") for config in configs]
    other = replace(configs[0], seed=2)
    assert unfinished([*elsewhere, other, other], read_records(path)) == [other]
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


def test_record_from_before_a_field_was_added_counts(finished):
    configs, path = finished
    records = read_records(path)
    for record in records:
        assert record["config"].pop("max_steps") is None
        assert record["config"].pop("protocol") == "libsvm-rbf"
        record["config"]["device"] = "cuda"  # As records had for a while.
    assert unfinished(configs, records) == []
    assert len(unfinished([replace(configs[0], max_steps=7)], records)) == 1
    # Norms were as recorded before they could be recomputed.
    for record in records:
        del record["config"]["recompute_norms"]
    assert unfinished(configs, records) == configs
    recorded = [replace(config, recompute_norms=False) for config in configs]
    assert unfinished(recorded, records) == []


def test_a_run_that_fails_keeps_no_other_from_being_done(config, tmp_path, capsys):
    path = tmp_path / "results" / "mini.jsonl"
    bad = replace(config, learning_rate=1e30)
    assert sweep([bad, config], path, num_jobs=1) == 1
    (record,) = read_records(path)
    assert record["config"] == config.identity()
    assert "lower the learning rate" in capsys.readouterr().out
    assert unfinished([bad, config], read_records(path)) == [bad]


def test_conditions_choose_among_runs(config):
    configs = [replace(config, seed=s, tau=t) for s in range(3) for t in (0.1, 0.2)]
    chosen = only(configs, ["seed=0,2", "tau=0.2"])
    assert [(c.seed, c.tau) for c in chosen] == [(0, 0.2), (2, 0.2)]
    with pytest.raises(typer.BadParameter, match="FIELD=VALUE"):
        only(configs, ["sead=0"])


def test_clock_counts_runs_by_kind(config, monkeypatch):
    slow = replace(config, dataset="SLOW")
    monkeypatch.setattr(module.time, "perf_counter", iter([0.0, 60.0, 120.0]).__next__)
    clock = Clock([_took(slow, 600)], [config, config, slow])
    # 60 seconds of work in 60 seconds; one minute and ten are left.
    assert clock.left_after(_took(config, 60)) == pytest.approx(11)
    assert clock.left_after(_took(config, 60)) == pytest.approx(10)


def _took(config, seconds):
    return {"config": config.identity(), "seconds": seconds}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL")
def test_killed_sweep_loses_no_run_and_leaves_no_process(config, tmp_path):
    path = tmp_path / "killed.jsonl"
    options = [asdict(replace(config, seed=s, num_epochs=40)) for s in range(30)]
    # As `python -m` does, where functions cannot be told by the module's name.
    code = (
        "import json, runpy, sys;"
        "from benchmarks.graph.grids import STUDIES;"
        "from pyg_prosampler.config import PretrainConfig;"
        "options = json.loads(sys.argv.pop());"
        "STUDIES['killed'] = [[PretrainConfig(**one) for one in options]];"
        "module = 'benchmarks.graph.sweep';"
        "runpy.run_module(module, run_name='__main__', alter_sys=True)"
    )
    arguments = ["killed", "--num-jobs", "2", "--results", str(tmp_path)]
    arguments += ["--root", options[0]["root"]]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments, json.dumps(options)],
        cwd=Path(module.__file__).parents[2],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    _wait_until(
        lambda: process.poll() is not None or len(read_records(path)) > 1, seconds=300
    )
    assert process.poll() is None
    process.kill()
    process.wait()
    group = process.pid
    _wait_until(lambda: not _is_alive(group))
    records = read_records(path)
    assert 2 <= len(records) < 30
    left = unfinished([module.PretrainConfig(**c) for c in options], records)
    assert len(left) == 30 - len(records)


def _wait_until(condition, seconds=90):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def _is_alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
