import numpy as np
import pytest
import torch

from pyg_prosampler import ProSampler
from pyg_prosampler.hardness import uniform_floor
from pyg_prosampler.inspection import (
    batches_of_policies,
    false_negatives,
    find_runs,
    plane,
    walk,
)
from pyg_prosampler.policies import UniformPolicy
from pyg_prosampler.records import RunFolder
from tests.example_runs import clusters, leave_run, run_of
from tests.reference_hardness import pair_similarities
from tests.reference_sampling import mean_pair_similarity


def test_false_negatives(tmp_path):
    labels = torch.tensor([0, 0, 0, 1])
    leave_run(tmp_path / "a", rates=(0.5, 0.6, 0.7), sampler="knn", seed=0)
    leave_run(
        tmp_path / "b",
        torch.ones(4, 2),
        labels,
        rates=(0.4, 0.8),
        sampler="knn",
        seed=1,
    )
    leave_run(tmp_path / "c", rates=(0.1,), sampler="uniform")
    data = false_negatives(find_runs(tmp_path))
    assert list(data["rates"]) == ["uniform", "knn"]
    # As many epochs as all seeds have.
    assert data["rates"]["knn"].tolist() == [[0.5, 0.6], [0.4, 0.8]]
    assert data["rates"]["uniform"].tolist() == [[0.1]]
    assert data["floor"] == uniform_floor(labels) == 0.625
    assert data["num_warmup"] == 1


def test_epochs_that_repeat_the_first_one_are_no_warm_up(tmp_path):
    folder = leave_run(tmp_path, rates=(), sampler="uniform", published=True)
    for epoch in range(2):
        RunFolder(folder).append(
            {
                "type": "epoch",
                "epoch": epoch,
                "warmup": True,
                "false_negative_rate": 0.5,
            }
        )
    assert false_negatives(find_runs(tmp_path))["num_warmup"] == 1


def test_no_labels_no_false_negatives(tmp_path):
    leave_run(tmp_path, rates=(None, None))
    with pytest.raises(ValueError, match="leave out this figure by `--only`"):
        false_negatives(find_runs(tmp_path))


def test_batches_of_policies():
    embeddings = torch.randn(14, 3)
    runs = [run_of(sampler=name, batch_size=4) for name in ("prosampler", "knn")]
    data = batches_of_policies(runs, embeddings, seed=5, num_epochs=3)
    assert list(data["pairs"]) == list(data["by_position"])
    assert list(data["pairs"]) == ["uniform", "prosampler", "knn"]
    assert data["floor"] == pytest.approx(mean_pair_similarity(embeddings))
    drawn = []
    for draw in range(3):
        sampler = ProSampler(
            lambda: embeddings, 14, 4,
            policy=UniformPolicy(), num_warmup_epochs=0, seed=5 + draw,
        )  # fmt: skip
        sampler.set_epoch(1)  # The last one of two.
        batches = list(sampler)
        drawn += batches
        expected = [mean_pair_similarity(embeddings[batch]) for batch in batches]
        found = data["by_position"]["uniform"][draw]
        assert found == pytest.approx(expected, abs=1e-6)
    assert sorted(data["pairs"]["uniform"]) == pytest.approx(
        sorted(pair_similarities(embeddings, drawn)), abs=1e-6
    )
    means = {name: values.mean() for name, values in data["pairs"].items()}
    assert means["uniform"] < means["prosampler"] < means["knn"]


def test_a_last_batch_of_one_has_no_similarity():
    data = batches_of_policies([run_of(batch_size=4)], torch.randn(9, 3), 0, 2)
    assert data["by_position"]["uniform"].shape == (2, 3)
    assert np.isnan(data["by_position"]["uniform"][:, 2]).all()
    assert data["pairs"]["uniform"].shape == (24,)


@pytest.mark.parametrize(("num_graphs", "expected"), [(24, 100), (80, 30)])
def test_number_of_epochs(num_graphs, expected):
    data = batches_of_policies([run_of(batch_size=4)], torch.randn(num_graphs, 3), 0)
    assert len(data["by_position"]["prosampler"]) == expected


def test_same_seed_same_data():
    embeddings, labels = clusters()
    run = run_of(batch_size=4)
    state = torch.get_rng_state()
    for gather in (
        lambda seed: plane(run, embeddings, labels, seed, num_batches=5)["similarity"],
        lambda seed: batches_of_policies([run], embeddings, seed, 2)["by_position"][
            "prosampler"
        ],
        lambda seed: np.array(walk(run, embeddings, labels, seed)["trace"]),
    ):
        assert np.array_equal(gather(1), gather(1))
        assert not np.array_equal(gather(1), gather(2))
    assert torch.equal(torch.get_rng_state(), state)
