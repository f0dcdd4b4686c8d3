from collections import Counter

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from torch_geometric.data import Data

from pyg_prosampler.policies import walker as module
from pyg_prosampler.policies.walker import Walker
from tests.reference_policies import multi_start_walks

NEIGHBORS = [[1, 2], [2], [0, 3], [4], [5, 0], [3]]
EDGES = [(i, j) for i, targets in enumerate(NEIGHBORS) for j in targets]
GRAPH = Data(edge_index=torch.tensor(EDGES).t().contiguous(), num_nodes=6)


def make(batch_size=3, max_steps=12, restart_prob=0.3, seed=0, nodes=None):
    nodes = np.arange(6) if nodes is None else nodes
    starts = np.zeros(nodes.max() + 1, dtype=bool)
    starts[nodes] = True
    walker = Walker(
        GRAPH,
        nodes,
        starts,
        starts.copy(),
        batch_size,
        max_steps,
        restart_prob,
        "torch",
        torch.Generator().manual_seed(seed),
    )
    return walker, starts, walker.members


@pytest.mark.parametrize("spare", [0.2, 1.0, 9.0])  # Walks go on, or need not.
def test_law_of_a_partition_against_plain_loops(monkeypatch, spare):
    monkeypatch.setattr(module, "_SPARE", spare)
    found, expected = Counter(), Counter()
    for seed in range(3000):
        walker, starts, members = make(seed=seed)
        first = walker.collect(1)
        starts[first] = members[first] = False
        second = walker.collect(1)
        found[frozenset(first.tolist()), int(second[0])] += 1
    rng = np.random.default_rng(0)
    for _ in range(3000):
        start = int(rng.integers(6))
        batch = multi_start_walks(NEIGHBORS, [start], [3], 12, 0.3, rng)
        others = sorted(set(range(6)) - set(batch))
        expected[frozenset(batch), int(rng.choice(others))] += 1
    distance = sum(abs(found[b] - expected[b]) for b in found | expected) / 6000
    assert distance < 0.07


def test_starts_are_uniform_whatever_happened_meanwhile():
    counts = np.zeros(6, dtype=int)
    for seed in range(3000):
        walker, starts, _ = make(batch_size=2, seed=seed)
        walker.collect(1)
        starts[[1, 4]] = False
        counts[walker.collect(1)[0]] += 1
    assert counts[[1, 4]].sum() == 0
    assert chisquare(counts[[0, 2, 3, 5]]).pvalue > 1e-3


def test_starts_that_come_back_are_drawn_again():
    counts = np.zeros(6, dtype=int)
    for seed in range(1500):
        walker, starts, _ = make(batch_size=1, seed=seed)  # One walk waits.
        starts[3:] = False
        walker.collect(1)
        starts[:] = True
        counts[walker.collect(1)[0]] += 1
    assert chisquare(counts).pvalue > 1e-3


def test_instances_are_not_nodes():
    nodes = np.array([7, 2, 9, 4, 5, 11])
    walker, _, members = make(nodes=nodes)
    members[9] = False
    for _ in range(20):
        batch = walker.collect(2).tolist()
        assert set(batch) <= set(nodes.tolist()) - {9}
        assert len(set(batch)) == len(batch)
    assert not walker.taken.any()


def test_nowhere_to_start():
    walker, starts, _ = make()
    starts[:] = False
    assert walker.collect(1) is None
