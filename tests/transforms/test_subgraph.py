import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency
from torch_geometric.data import Batch, Data
from torch_geometric.utils import to_undirected

from pyg_prosampler.transforms import Subgraph
from tests.reference_transforms import (
    keep,
    out_neighbors,
    share,
    snowball,
    snowball_law,
)
from tests.transforms.graphs import (
    assert_law,
    augment,
    graph_lists,
    random_graph,
    same,
)


def graph(edges, num_nodes, directed=False):
    edge_index = torch.tensor(edges).t()
    return Data(
        edge_index=edge_index if directed else to_undirected(edge_index),
        node_id=torch.arange(num_nodes),
        num_nodes=num_nodes,
    )


KITE = graph([(0, 1), (0, 2), (1, 2), (2, 3), (3, 4)], 5)
RING_AND_TAIL = graph([(0, 1), (1, 2), (2, 3), (3, 4), (4, 0), (2, 5)], 6)
TWO_PARTS = graph([(0, 1), (2, 3), (3, 4), (2, 4)], 6)
DIRECTED = graph([(0, 1), (1, 2), (2, 0), (2, 3)], 4, directed=True)
LOOPS = graph([(0, 0), (0, 1), (1, 2), (1, 1), (1, 2)], 3)


def draws(data, transform, number=4000):
    out = transform(Batch.from_data_list([data] * number))
    return [frozenset(part.node_id.tolist()) for part in out.to_data_list()]


@given(graph_lists(), st.integers(1, 100))
def test_keeps_the_share_or_all_it_can_reach(graphs, percent):
    ratio = percent / 100
    out = augment(Subgraph(ratio), graphs)
    for graph, part in zip(graphs, out, strict=True):
        nodes = set(part.node_id.tolist())
        assert same(part, keep(graph, nodes, set(range(graph.num_edges))))
        size = -share(-ratio, graph.num_nodes)
        assert len(nodes) <= size
        neighbors = out_neighbors(graph)
        assert not nodes or any(
            len(nodes) == min(size, len(reach)) and nodes <= reach
            for reach in (reachable(neighbors, start) for start in nodes)
        )


def reachable(neighbors, start):
    seen, stack = {start}, [start]
    while stack:
        for node in neighbors[stack.pop()] - seen:
            seen.add(node)
            stack.append(node)
    return seen


@pytest.mark.parametrize("ratio", [0.4, 0.6, 0.8])
@pytest.mark.parametrize("data", [KITE, RING_AND_TAIL, TWO_PARTS, DIRECTED, LOOPS])
def test_law(data, ratio):
    generator = torch.Generator().manual_seed(0)
    size = math.ceil(round(ratio * data.num_nodes, 6))
    law = snowball_law(out_neighbors(data), size)
    assert_law(draws(data, Subgraph(ratio, generator=generator)), law)


@pytest.mark.parametrize("data", [KITE, TWO_PARTS, DIRECTED, LOOPS])
def test_law_of_the_public_code(data):
    generator = torch.Generator().manual_seed(0)
    law = snowball_law(out_neighbors(data), 1 + data.num_nodes // 2, one_hop=True)
    transform = Subgraph(0.5, published=True, generator=generator)
    assert_law(draws(data, transform), law)


def test_marginals_of_a_larger_graph():
    data = random_graph(40, 7)
    rng = np.random.default_rng(0)
    neighbors = out_neighbors(data)
    slow = torch.zeros(40)
    for _ in range(1500):
        slow[list(snowball(neighbors, 12, rng))] += 1
    fast = torch.zeros(40)
    generator = torch.Generator().manual_seed(0)
    for nodes in draws(data, Subgraph(0.3, generator=generator), 1500):
        fast[list(nodes)] += 1
    table = torch.stack([slow, fast]).numpy()
    assert chi2_contingency(table).pvalue > 1e-4


def test_long_path():
    source = torch.arange(499)
    edge_index = to_undirected(torch.stack([source, source + 1]))
    out = Subgraph(0.5)(Data(edge_index=edge_index, num_nodes=500))
    assert (out.num_nodes, out.num_edges) == (250, 498)


def test_isolated_and_single_nodes():
    out = augment(Subgraph(), [Data(x=torch.rand(n, 1)) for n in (1, 3, 0)])
    assert [part.num_nodes for part in out] == [1, 1, 0]


def test_ratio_one_keeps_the_component():
    assert {len(nodes) for nodes in draws(KITE, Subgraph(1.0), 20)} == {5}
    sizes = {len(nodes) for nodes in draws(TWO_PARTS, Subgraph(1.0), 200)}
    assert sizes == {1, 2, 3}


def test_defaults():
    assert Subgraph().ratio == 0.8
    assert Subgraph(published=True).ratio == 0.2
    assert Subgraph(0.3, published=True).ratio == 0.3


@pytest.mark.parametrize("ratio", [0, -0.5, 1.5])
def test_bad_ratio(ratio):
    with pytest.raises(ValueError, match=r"`ratio` should lie in \(0, 1\]"):
        Subgraph(ratio)
