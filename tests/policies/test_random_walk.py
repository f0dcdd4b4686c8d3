import itertools
from collections import Counter

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from pyg_prosampler import ProSampler, knn_graph
from pyg_prosampler.hardness import mean_similarity
from pyg_prosampler.policies import RandomWalkPolicy
from tests.reference_policies import multi_start_walks
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


def test_several_starts_against_plain_loops():
    # The law of a batch of two walks on a small graph, by frequencies.
    neighbors = [[1, 2], [2], [0, 3], [4], [5, 0], [3]]
    edges = [(i, j) for i, targets in enumerate(neighbors) for j in targets]
    graph = Data(edge_index=torch.tensor(edges).t().contiguous(), num_nodes=6)
    policy = RandomWalkPolicy(2, 2, restart_prob=0.3, num_starts=2, max_steps=4)
    generator = torch.Generator().manual_seed(0)
    batches = policy.batches(graph, everyone(6), everyone(6), 4, 0, generator)
    found = Counter(frozenset(next(batches).tolist()) for _ in range(4000))
    rng = np.random.default_rng(0)
    expected = Counter()
    for _ in range(4000):
        starts = rng.choice(6, 2, replace=False).tolist()
        batch = multi_start_walks(neighbors, starts, [2, 2], 4, 0.3, rng)
        expected[frozenset(batch)] += 1
    distance = sum(abs(found[b] - expected[b]) for b in found | expected) / 8000
    assert distance < 0.05


@pytest.mark.parametrize("restart_prob", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("num_starts", [1, 2, 3, 8])
def test_several_starts_share_a_batch_evenly(num_starts, restart_prob):
    # Eight cliques: a walk collects in one of them.
    embeddings = torch.eye(8).repeat_interleave(10, dim=0)
    policy = RandomWalkPolicy(79, 9, restart_prob=restart_prob, num_starts=num_starts)
    quotas = [(8 + index) // num_starts for index in range(num_starts)]
    batches = draw(policy, embeddings, everyone(80), everyone(80), 8, num=30)
    for batch in batches:
        assert len(set(batch)) == 8
        first = 0
        for quota in quotas:
            cliques = [node // 10 for node in batch[first : first + quota]]
            assert len(set(cliques)) == 1
            first += quota


def test_as_many_starts_as_places_is_uniform():
    embeddings = torch.eye(2).repeat_interleave(20, dim=0)
    policy = RandomWalkPolicy(39, 5, restart_prob=0.2, num_starts=4)
    batches = draw(policy, embeddings, everyone(40), everyone(40), 4, num=1500)
    counts = torch.bincount(torch.tensor(batches).view(-1), minlength=40)
    assert counts.min() > 100  # 150 expected, with a deviation of 12.
    sides = torch.tensor(batches) < 20
    pairs = (sides[:, 0] == sides[:, 1]).float().mean()
    assert float(pairs) == pytest.approx(19 / 39, abs=0.05)


def test_fewer_possible_starts_than_asked_for():
    policy = RandomWalkPolicy(19, 5, restart_prob=0.2, num_starts=4)
    starts = torch.zeros(20, dtype=torch.bool)
    starts[[3, 8]] = True
    batch = draw(policy, torch.randn(20, 3), starts, everyone(20), 8)[0]
    assert {batch[0], batch[4]} == {3, 8}
    assert len(set(batch)) == 8


def test_rebuilt_among_the_unused():
    embeddings = torch.randn(64, 3)
    policy = RandomWalkPolicy(63, 8, restart_prob=0.2)
    members = everyone(64)
    generator = torch.Generator().manual_seed(0)
    built = []
    build = RandomWalkPolicy._build

    def spy(*arguments):
        graph = build(*arguments)
        built.append((graph.num_nodes, graph.num_edges // graph.num_nodes))
        return graph

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RandomWalkPolicy, "_build", spy)
        prepared = policy.prepare(lambda: embeddings, generator)
        for batch in policy.batches(prepared, members, members, 8, 0, generator):
            assert members[batch].all()
            members[batch] = False
    sizes = [num_nodes for num_nodes, _ in built]
    assert sizes[0] == 64
    assert len(sizes) > 2
    for larger, smaller in itertools.pairwise(sizes):
        assert 8 < smaller <= larger / 2
    assert sum(sizes) < 2 * 64
    assert [degree for _, degree in built] == [
        round((n / 64) ** 0.5 * 8) for n in sizes
    ]


def test_only_the_users_own_choice_is_clipped_with_a_notice():
    embeddings = torch.randn(40, 3)
    sampler = ProSampler(
        lambda: embeddings, 40, 4, num_warmup_epochs=0,
        policy=RandomWalkPolicy(50, 10, restart_prob=0.2),
    )  # fmt: skip
    with pytest.warns(UserWarning, match="clipped from 50 to the 39 other") as notices:
        list(sampler)
    assert len(notices) == 1


@pytest.mark.parametrize("coverage", ["independent", "unseen_start"])
def test_other_coverages_never_rebuild(coverage):
    embeddings = torch.randn(60, 3)
    epochs = [
        list(
            ProSampler(
                lambda: embeddings, 60, 6, num_warmup_epochs=0, coverage=coverage,
                policy=RandomWalkPolicy(30, 6, rebuild_at=rebuild_at),
            )
        )
        for rebuild_at in (0.0, 0.9)
    ]  # fmt: skip
    assert epochs[0] == epochs[1]


def test_hardness_does_not_depend_on_the_place_in_an_epoch():
    # Half of a data set is dense, half is a cloud, which is left over.
    dense = torch.nn.functional.normalize(torch.randn(150, 6)) * 0.2
    embeddings = torch.cat([dense + torch.eye(6)[0], torch.randn(150, 6)])
    uniform = mean_similarity(embeddings)

    def excess(rebuild_at):
        values = []
        for seed in range(60):
            sampler = ProSampler(
                lambda: embeddings, 300, 15, num_warmup_epochs=0, seed=seed,
                policy=RandomWalkPolicy(60, 15, 0.2, rebuild_at=rebuild_at),
            )  # fmt: skip
            values.append([mean_similarity(embeddings[batch]) for batch in sampler])
        return torch.tensor(values) - uniform

    values = excess(0.5)
    # The weakest batch of 20 is anywhere: at 9.5 on average, with a standard error
    # of 0.75.
    assert float(values.argmin(dim=1).float().mean()) == pytest.approx(9.5, abs=2.5)
    assert float(values.argmax(dim=1).float().mean()) == pytest.approx(9.5, abs=2.5)
    # A graph among the unused is worth it.
    assert values.mean() > 1.05 * excess(0.0).mean() > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((5, 6), "`num_neighbors` should be between 1 and"),
        ((0, 1), "`num_candidates` should be at least 1"),
        ((5, 5, -0.1), r"`restart_prob` .* \(got -0.1\)"),
        ((5, 5, lambda epoch: 2.0), r"`restart_prob` .* \(got 2.0\)"),
        ((5, 5, 0.2, 0), r"`max_steps` should be at least 1 \(got 0\)"),
        ((5, 5, 0.2, 5, "numpy"), "`backend` should be one of"),
        ((5, 5, 0.2, 5, "torch", 0), r"`num_starts` .* at least 1 \(got 0\)"),
        ((5, 5, 0.2, 5, "torch", 1, 1.0), r"`rebuild_at` .* \(got 1.0\); pass"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        RandomWalkPolicy(*arguments)


def test_more_starts_than_places():
    policy = RandomWalkPolicy(9, 5, num_starts=5)
    with pytest.raises(ValueError, match=r"`num_starts` .* at most 4, .*\(got 5\)"):
        draw(policy, torch.randn(10, 2), everyone(10), everyone(10), 4)
