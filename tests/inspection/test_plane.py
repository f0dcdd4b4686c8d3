import numpy as np
import pytest
import torch

from pyg_prosampler.inspection import (
    plane,
)
from tests.example_runs import clusters, run_of
from tests.reference_sampling import mean_pair_similarity, nearest_neighbors


def test_plane_goes_from_uniform_to_nearest_neighbours():
    embeddings, labels = clusters(noise=0.3)
    run = run_of(batch_size=4, num_neighbors=3)
    data = plane(run, embeddings, labels, seed=0, num_batches=120)
    assert data["num_candidates"][[0, 1, -1]].tolist() == [1, 3, 19]
    shape = len(data["restart_prob"]), len(data["num_candidates"])
    assert data["similarity"].shape == data["false_negative_rate"].shape == shape
    assert data["similarity_floor"] == pytest.approx(mean_pair_similarity(embeddings))
    assert data["false_negative_rate_floor"] == pytest.approx(0.25)
    assert (data["num_graphs"], data["num_neighbors"]) == (20, 3)

    # With as many candidates as neighbours, the graph is random.
    for key, floor in (("similarity", data["similarity_floor"]),
                       ("false_negative_rate", 4 / 19)):  # fmt: skip
        assert data[key][:-1, 1] == pytest.approx(np.full(shape[0] - 1, floor), abs=0.1)
    nearest = [
        [start, *neighbors]
        for start, neighbors in enumerate(nearest_neighbors(embeddings, 3))
    ]
    similarities = [mean_pair_similarity(embeddings[batch]) for batch in nearest]
    rates = [
        sum(labels[a] == labels[b] for a in batch for b in batch if a != b) / 12
        for batch in nearest
    ]
    corner = data["similarity"][-1, -1], data["false_negative_rate"][-1, -1]
    expected = np.mean(similarities), np.mean(rates)
    assert corner == pytest.approx(expected, abs=0.05)
    assert corner[0] > data["similarity_floor"] + 0.3


def test_plane_takes_a_part_of_large_data():
    data = plane(
        run_of(batch_size=4), torch.randn(30, 3), None, 0, num_batches=2, max_graphs=10
    )
    assert data["num_graphs"] == 10
    assert data["num_candidates"][-1] == 9
    assert data["false_negative_rate"] is None
    assert data["false_negative_rate_floor"] is None
