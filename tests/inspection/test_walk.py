import numpy as np
import pytest
import torch

from pyg_prosampler.inspection import (
    principal_components,
    walk,
)
from tests.example_runs import clusters, run_of
from tests.reference_sampling import nearest_neighbors


@pytest.mark.parametrize("seed", range(3))
def test_walk_follows_edges_or_restarts(seed):
    embeddings, labels = clusters()
    run = run_of(batch_size=4, num_neighbors=4, restart_prob="0.3")
    data = walk(run, embeddings, labels, seed, num_visited=5)
    trace = data["trace"]
    neighbors = nearest_neighbors(embeddings, 4)  # Of all, since N is small.
    assert len(set(trace)) == 5
    assert trace[-1] not in trace[:-1]  # It ends with the fifth.
    assert (data["restart_prob"], data["is_restart"][0]) == (0.3, False)
    for before, after, is_restart in zip(
        trace, trace[1:], data["is_restart"][1:], strict=False
    ):
        if is_restart:
            assert after == trace[0] != before
            assert after not in neighbors[before]
        else:
            assert after in neighbors[before] or before == after == trace[0]
    assert data["points"].shape == (20, 2)


def test_a_walk_with_too_few_to_visit_ends():
    embeddings, _ = clusters(num_clusters=2, size=3, noise=0.001)
    run = run_of(batch_size=2, num_neighbors=2)
    trace = walk(run, embeddings, None, 0)["trace"]
    assert len(set(trace)) == 3
    assert trace[-1] not in trace[:-1]


def test_principal_components():
    embeddings = torch.randn(12, 4).double()
    points, shares = principal_components(3 * embeddings)
    rows = embeddings / embeddings.norm(dim=1, keepdim=True)
    u, s, _ = torch.linalg.svd(rows - rows.mean(dim=0), full_matrices=False)
    expected = (u * s)[:, :2].numpy()
    assert np.abs(points) == pytest.approx(np.abs(expected), abs=1e-6)
    assert shares == pytest.approx((s**2 / (s**2).sum())[:2].numpy())
