import pytest
import torch

from pyg_prosampler.config import PretrainConfig
from pyg_prosampler.inspection import (
    find_runs,
    load_embeddings,
)
from pyg_prosampler.records import RunFolder
from tests.example_runs import leave_run


def test_runs_are_found_and_ordered(tmp_path):
    for sampler in ("knn", "prosampler", "uniform"):
        for seed in (10, 2):
            path = tmp_path / "runs" / sampler / f"seed{seed}"
            leave_run(path, sampler=sampler, seed=seed)
    RunFolder(tmp_path / "runs" / "begun").append({"type": "evaluation"})
    found = [(r.config.sampler, r.config.seed) for r in find_runs(tmp_path / "runs")]
    samplers = ("uniform", "prosampler", "knn")
    assert found == [(sampler, seed) for sampler in samplers for seed in (2, 10)]
    (one,) = find_runs(tmp_path / "runs" / "knn" / "seed2")
    assert one.config.sampler == "knn"
    assert [epoch["epoch"] for epoch in one.epochs] == [0, 1]


def test_configurations_of_other_versions_and_devices(tmp_path):
    folder = RunFolder(leave_run(tmp_path / "run"))
    config = folder.read_config() | {"device": "cuda", "gone": 3}
    del config["tau"]
    folder.write_json("config.json", {"config": config})
    (run,) = find_runs(tmp_path)
    assert run.config == PretrainConfig(batch_size=4, num_epochs=2)


def test_errors_of_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere' is not a folder; name one"):
        find_runs(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="no run with a finished epoch"):
        find_runs(tmp_path)
    leave_run(tmp_path / "a")
    with pytest.raises(FileNotFoundError, match=r"has no embeddings.pt; name"):
        load_embeddings(find_runs(tmp_path))
    leave_run(tmp_path / "b", dataset="NCI1")
    with pytest.raises(ValueError, match=r"several data sets \(MUTAG, NCI1\)"):
        find_runs(tmp_path)


def test_embeddings_of_prosampler_come_first(tmp_path):
    leave_run(tmp_path / "a", torch.ones(3, 2), sampler="uniform")
    leave_run(tmp_path / "b", sampler="prosampler", seed=0)
    run, embeddings, _ = load_embeddings(find_runs(tmp_path))
    assert run.config.sampler == "uniform"  # The only one that has finished.
    assert torch.equal(embeddings, torch.ones(3, 2))
    leave_run(tmp_path / "c", torch.zeros(3, 2), sampler="prosampler", seed=1)
    run, embeddings, _ = load_embeddings(find_runs(tmp_path))
    assert (run.config.sampler, run.config.seed) == ("prosampler", 1)
    assert not embeddings.any()
