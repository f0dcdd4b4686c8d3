from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data

from pyg_prosampler.transforms import NodeDropping
from tests.reference_transforms import keep, share
from tests.transforms.graphs import (
    assert_law,
    augment,
    graph_lists,
    random_graph,
    same,
)


@given(graph_lists(), st.integers(0, 100))
def test_drops_the_share_of_each_graph(graphs, percent):
    p = percent / 100
    for graph, part in zip(graphs, augment(NodeDropping(p), graphs), strict=True):
        assert part.num_nodes == graph.num_nodes - share(p, graph.num_nodes)
        nodes = set(part.node_id.tolist())
        assert same(part, keep(graph, nodes, set(range(graph.num_edges))))


@given(graph_lists())
def test_single_graphs(graphs):
    for graph in graphs:
        part = NodeDropping(0.3)(graph)
        assert part.num_nodes == graph.num_nodes - share(0.3, graph.num_nodes)
        nodes = set(part.node_id.tolist())
        assert same(part, keep(graph, nodes, set(range(graph.num_edges))))


def test_law():
    generator = torch.Generator().manual_seed(0)
    graphs = [Data(x=torch.ones(5, 1), node_id=torch.arange(5))] * 4000
    out = NodeDropping(0.4, generator)(Batch.from_data_list(graphs))
    kept = [frozenset(nodes) for nodes in out.node_id.view(4000, 3).tolist()]
    assert_law(kept, {frozenset(c): 0.1 for c in combinations(range(5), 3)})


def test_all_nodes_may_go(graphs):
    out = NodeDropping(1.0)(Batch.from_data_list(graphs))
    assert out.num_graphs == len(graphs)
    assert out.num_nodes == out.num_edges == 0
    assert out.ptr.tolist() == [0] * (len(graphs) + 1)
    assert out.y.tolist() == [int(graph.y) for graph in graphs]


def test_single_nodes_stay():
    out = augment(NodeDropping(0.9), [random_graph(1, i) for i in range(3)])
    assert [part.num_nodes for part in out] == [1, 1, 1]


@pytest.mark.parametrize("p", [-0.1, 1.5])
def test_bad_share(p):
    with pytest.raises(ValueError, match=rf"`p` should lie in \[0, 1\] \(got {p}\)"):
        NodeDropping(p=p)
