from dataclasses import replace

import pytest
import torch

from benchmarks.graph import frozen
from benchmarks.graph.records import read_records
from pyg_prosampler import experiment
from pyg_prosampler.build import build_framework, load_for
from pyg_prosampler.experiment import run


@pytest.fixture
def mvgrl(config):
    return replace(config, framework="mvgrl", objective="jsd")


def test_only_what_is_behind_the_encoders_is_trained(mvgrl, tmp_path, monkeypatch):
    dataset = load_for(mvgrl)
    monkeypatch.setattr(experiment, "build_framework", frozen.frozen_framework)
    run(mvgrl, dataset, tmp_path / "run", evaluate_untrained=False)
    trained = torch.load(tmp_path / "run" / "checkpoint.pt")["state_dict"]
    initial = build_framework(mvgrl, dataset).state_dict()
    kept = {name for name in initial if torch.equal(initial[name], trained[name])}
    assert kept == {name for name in initial if name.startswith("encoder")}


def test_records_pair_up_and_are_made_once(mvgrl, monkeypatch, tmp_path):
    configs = [replace(mvgrl, seed=seed) for seed in (0, 1)]
    path = tmp_path / "frozen.jsonl"
    monkeypatch.setattr(frozen, "FROZEN", Configs(configs))
    monkeypatch.setattr(frozen, "PATH", path)
    monkeypatch.setattr("sys.argv", ["frozen", "--root", mvgrl.root])
    frozen.main()
    records = read_records(path)
    assert [record["config"] for record in records] == [c.identity() for c in configs]
    assert all(record["frozen_encoders"] for record in records)
    assert experiment.build_framework is build_framework
    frozen.main()
    assert read_records(path) == records


class Configs(list):
    datasets = ("MINI",)
