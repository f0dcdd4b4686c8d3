import functools
import operator

import pytest
import torch
from torch_geometric.data import Data

from pyg_prosampler import knn_graph
from pyg_prosampler.policies import RandomWalkPolicy, UniformPolicy
from tests.reference_sampling import nearest_neighbors


def draw(policy, embeddings, starts, members, batch_size, num=1, seed=0, epoch=0):
    generator = torch.Generator().manual_seed(seed)
    prepared = policy.prepare(lambda: embeddings, generator)
    batches = policy.batches(prepared, starts, members, batch_size, epoch, generator)
    return [next(batches).tolist() for _ in range(num)]


def everyone(num_nodes):
    return torch.ones(num_nodes, dtype=torch.bool)


def test_the_knn_limit():
    # All candidates, alpha = 1: the start and its nearest neighbours.
    embeddings = torch.randn(40, 5)
    expected = nearest_neighbors(embeddings, 7)
    policy = RandomWalkPolicy(39, 12, restart_prob=1.0)
    for seed in range(20):
        batch = draw(policy, embeddings, everyone(40), everyone(40), 8, seed=seed)[0]
        assert batch[1:] == expected[batch[0]]


def test_the_knn_limit_goes_on_to_neighbors_of_neighbors():
    embeddings = torch.randn(40, 5)
    nearest = nearest_neighbors(embeddings, 2)
    policy = RandomWalkPolicy(39, 2, restart_prob=1.0)
    batch = draw(policy, embeddings, everyone(40), everyone(40), 6)[0]
    order = [batch[0]]
    for node in order:
        order += [other for other in nearest[node] if other not in order]
        if len(order) >= 6:
            break
    assert batch == order[:6]


def test_the_uniform_limit():
    # One candidate, alpha = 0: pairs of a batch as alike as random ones, although
    # the embeddings form two clusters far apart.
    embeddings = torch.cat([torch.randn(50, 4) + 9, torch.randn(50, 4) - 9])
    same = {}
    for name, policy in {
        "hard": RandomWalkPolicy(99, 10, restart_prob=0.2),
        "uniform": RandomWalkPolicy(1, 1, restart_prob=0.0),
    }.items():
        shares = []
        for seed in range(200):
            # The second batch member is the neighbour of the first.
            batch = draw(policy, embeddings, everyone(100), everyone(100), 2, seed=seed)
            first, *rest = batch[0]
            shares += [float((first < 50) == (other < 50)) for other in rest]
        same[name] = sum(shares) / len(shares)
    assert same["hard"] == 1.0
    assert same["uniform"] == pytest.approx(49 / 99, abs=0.12)


def test_walk_collects_in_order_of_first_visit():
    ring = Data(edge_index=torch.tensor([[0, 1, 2, 3], [1, 2, 3, 0]]), num_nodes=4)
    policy = RandomWalkPolicy(1, 1, restart_prob=0.0)
    starts = torch.tensor([False, False, True, False])
    generator = torch.Generator().manual_seed(0)
    members = torch.tensor([True, True, True, False])
    batches = policy.batches(ring, starts, members, 3, 0, generator)
    assert next(batches).tolist() == [2, 0, 1]
    # Masks may change while batches are taken.
    starts[:] = torch.tensor([True, False, False, False])
    members[:] = True
    assert next(batches).tolist() == [0, 1, 2]
    starts[:] = False
    assert next(batches, None) is None


def test_bounded_in_a_component_smaller_than_a_batch():
    pairs = Data(edge_index=torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]]), num_nodes=4)
    generator = torch.Generator().manual_seed(0)
    for restart_prob in (0.0, 0.5, 1.0):
        policy = RandomWalkPolicy(1, 1, restart_prob=restart_prob, max_steps=10)
        batches = policy.batches(pairs, everyone(4), everyone(4), 3, 0, generator)
        assert len(next(batches)) == 2


def test_restart_probability_follows_the_epoch():
    policy = RandomWalkPolicy(10, 5, restart_prob=lambda epoch: 1.0 if epoch else 0.0)
    assert [policy.restart_prob_at(epoch) for epoch in (0, 1)] == [0.0, 1.0]
    embeddings = torch.randn(11, 3)
    graph = knn_graph(embeddings, 5)
    starts = torch.zeros(11, dtype=torch.bool)
    starts[4] = True
    batch = draw(policy, embeddings, starts, everyone(11), 4, epoch=1)[0]
    assert batch == [4, *graph.edge_index[1].view(11, 5)[4, :3].tolist()]


def test_uniform_covers_all_members_once():
    members = torch.tensor([True] * 7 + [False] * 3)
    batches = draw(UniformPolicy(), None, members, members, 3, num=3)
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert sorted(functools.reduce(operator.iadd, batches, [])) == list(range(7))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((5, 6), "`num_neighbors` should be between 1 and"),
        ((0, 1), "`num_candidates` should be at least 1"),
        ((5, 5, -0.1), r"`restart_prob` .* \(got -0.1\)"),
        ((5, 5, lambda epoch: 2.0), r"`restart_prob` .* \(got 2.0\)"),
        ((5, 5, 0.2, 0), r"`max_steps` should be at least 1 \(got 0\)"),
        ((5, 5, 0.2, 5, "numpy"), "`backend` should be one of"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        RandomWalkPolicy(*arguments)
