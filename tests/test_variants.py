from dataclasses import replace

import pytest
import torch
from torch_geometric.data import Batch

from benchmarks.graph import frozen, no_loops
from benchmarks.graph.records import read_records
from benchmarks.graph.variants import run_variant
from pyg_prosampler import experiment
from pyg_prosampler.build import build_framework, load_for
from pyg_prosampler.experiment import run


@pytest.fixture
def mvgrl(config):
    return replace(config, framework="mvgrl", objective="jsd")


def test_only_what_is_behind_frozen_encoders_is_trained(mvgrl, tmp_path, monkeypatch):
    dataset = load_for(mvgrl)
    monkeypatch.setattr(experiment, "build_framework", frozen.frozen_framework)
    run(mvgrl, dataset, tmp_path / "run", evaluate_untrained=False)
    trained = torch.load(tmp_path / "run" / "checkpoint.pt")["state_dict"]
    initial = build_framework(mvgrl, dataset).state_dict()
    kept = {name for name in initial if torch.equal(initial[name], trained[name])}
    assert kept == {name for name in initial if name.startswith("encoder")}


def test_without_self_loops_graphs_are_as_they_are(config):
    config = replace(config, published=True)
    dataset = load_for(config)
    batch = Batch.from_data_list(list(dataset))
    with_loops = build_framework(config, dataset).eval()
    without = no_loops.no_loops_framework(config, dataset).eval()
    assert torch.equal(without.embed(batch), with_loops.encoder(batch))
    assert not torch.equal(without.embed(batch), with_loops.embed(batch))
    original, augmented = without.augmentations
    assert torch.equal(original(batch).edge_index, batch.edge_index)
    assert repr(augmented) == repr(with_loops.augmentations[1])


def test_records_pair_up_and_are_made_once(mvgrl, monkeypatch, tmp_path):
    configs = Configs(replace(mvgrl, seed=seed) for seed in (0, 1))
    path = tmp_path / "frozen.jsonl"
    study = configs, path, frozen.frozen_framework, {"frozen": True}, None
    monkeypatch.setattr("sys.argv", ["frozen", "--root", mvgrl.root])
    run_variant(*study)
    records = read_records(path)
    assert [record["config"] for record in records] == [c.identity() for c in configs]
    assert all(record["frozen"] for record in records)
    assert experiment.build_framework is build_framework
    run_variant(*study)
    assert read_records(path) == records


def test_unknown_data_sets_are_refused(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["no_loops", "MUTAG"])
    with pytest.raises(SystemExit):
        no_loops.main()
    assert "among ('NCI1',) (got ['MUTAG'])" in capsys.readouterr().err


class Configs(list):
    datasets = ("MINI",)
