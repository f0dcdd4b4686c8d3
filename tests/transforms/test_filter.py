import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric import EdgeIndex
from torch_geometric.data import Batch, Data

from pyg_prosampler.transforms.filter import filter_graphs
from pyg_prosampler.transforms.layout import Layout
from tests.reference_transforms import keep
from tests.transforms.graphs import augment, graph_lists, random_graph, same


class Filter:
    r"""Keeps given nodes and edges."""

    def __init__(self, nodes=None, edges=None):
        self.masks = [None if m is None else torch.cat(m) for m in (nodes, edges)]

    def __call__(self, data):
        return filter_graphs(data, Layout.of(data, "Filter"), *self.masks)


def masks(sizes, seed):
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(size, generator=generator) < 0.6 for size in sizes]


@given(graph_lists(), st.sampled_from(["nodes", "edges", "both"]), st.integers(0, 99))
def test_equals_the_loop(graphs, which, seed):
    all_nodes = [graph.num_nodes for graph in graphs]
    all_edges = [graph.num_edges for graph in graphs]
    nodes, edges = masks(all_nodes, seed), masks(all_edges, seed + 1)
    out = augment(
        Filter(
            nodes if which != "edges" else None, edges if which != "nodes" else None
        ),
        graphs,
        follow_batch=["x", "edge_attr"],
    )
    for graph, part, node, edge in zip(graphs, out, nodes, edges, strict=True):
        node = torch.ones_like(node) if which == "edges" else node
        edge = torch.ones_like(edge) if which == "nodes" else edge
        kept = [set(mask.nonzero().view(-1).tolist()) for mask in (node, edge)]
        assert same(part, keep(graph, *kept))


@given(graph_lists(), st.integers(0, 99))
def test_graphs_one_by_one(graphs, seed):
    for graph in graphs:
        node, edge = masks([graph.num_nodes, graph.num_edges], seed)
        kept = [set(mask.nonzero().view(-1).tolist()) for mask in (node, edge)]
        assert same(Filter([node], [edge])(graph), keep(graph, *kept))


def test_graphs_that_only_know_their_number_of_nodes():
    graphs = [random_graph(size, size) for size in (3, 0, 4)]
    for graph in graphs:
        graph.num_nodes = graph.num_nodes
        del graph.x, graph.node_id
    node = torch.tensor([True, False, True, False, True, False, False])
    out = augment(Filter([node]), graphs)
    assert [part.num_nodes for part in out] == [2, 0, 1]
    assert Filter([node[:3]])(graphs[0]).num_nodes == 2
    # Nodes at the end stay, though no edge tells of them.
    edge = torch.zeros(graphs[2].num_edges, dtype=torch.bool)
    assert Filter(None, [edge])(graphs[2]).num_nodes == 4


def test_numbers_of_nodes_that_only_edges_tell():
    graph = Data(edge_index=torch.tensor([[0, 1], [1, 2]]))
    guess = r"infer 'num_nodes'"
    with pytest.warns(UserWarning, match=guess):
        out = Filter(None, [torch.tensor([True, False])])(graph)
    assert out.num_nodes == 3
    with pytest.warns(UserWarning, match=guess):
        batch = Batch.from_data_list([graph, graph])
    out = Filter(None, [torch.tensor([True, False, False, False])])(batch)
    assert [part.num_nodes for part in out.to_data_list()] == [3, 3]


def test_graphs_without_edges_at_all():
    graphs = [Data(x=torch.rand(2, 1)), Data(x=torch.rand(1, 1))]
    out = augment(Filter([torch.tensor([False, True, True])]), graphs)
    assert [part.num_nodes for part in out] == [1, 1]


def test_labels_are_not_taken_for_single_nodes_or_edges():
    edge_index = torch.tensor([[0], [1]])
    graphs = [
        Data(x=torch.rand(2, 1), edge_index=edge_index, y=torch.tensor([i]))
        for i in range(3)
    ]
    no_edges = [torch.zeros(1, dtype=torch.bool)] * 3
    assert [int(g.y) for g in augment(Filter(None, no_edges), graphs)] == [0, 1, 2]
    assert int(Filter(None, no_edges[:1])(graphs[2]).y) == 2
    singles = [Data(x=torch.rand(1, 1), y=torch.tensor([i])) for i in range(3)]
    assert [int(g.y) for g in augment(Filter(no_edges), singles)] == [0, 1, 2]


def test_sizes_of_single_graphs_decide():
    r"""In total there are as many edges as nodes, and as many values."""
    path, ring = torch.tensor([[0], [1]]), torch.tensor([[0, 1, 0], [1, 0, 0]])
    graphs = [
        Data(x=torch.rand(2, 1), edge_index=path, value=torch.tensor([1.0])),
        Data(x=torch.rand(2, 1), edge_index=ring, value=torch.tensor([2.0, 3.0, 4.0])),
    ]
    nodes = torch.tensor([True, True, True, False])
    out = augment(Filter([nodes]), graphs)
    assert [part.value.tolist() for part in out] == [[1.0], [4.0]]


def test_batches_made_by_hand():
    batch = Batch(
        x=torch.arange(4.0).view(4, 1),
        edge_index=torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]]),
        batch=torch.tensor([0, 0, 1, 1]),
    )
    out = Filter([torch.tensor([True, True, False, False])])(batch)
    assert out.batch.tolist() == [0, 0]
    assert out.num_graphs == 2
    assert out.edge_index.tolist() == [[0, 1], [1, 0]]


def test_edge_index_class_becomes_plain():
    edge_index = EdgeIndex(
        [[0, 1, 1, 2], [1, 0, 2, 1]], sparse_size=(3, 3), sort_order="row"
    )
    graphs = [Data(x=torch.rand(3, 1), edge_index=edge_index)] * 2
    nodes = torch.tensor([True, True, False, False, True, True])
    out = augment(Filter([nodes]), graphs)
    assert type(out[0].edge_index) is torch.Tensor
    assert all(part.edge_index.tolist() == [[0, 1], [1, 0]] for part in out)


@pytest.mark.parametrize("key", ["edge_attr", "x"])
def test_gradients_pass(key):
    graph = random_graph(6, 3)
    graph[key] = graph[key].float().requires_grad_()
    out = Filter([torch.tensor([True] * 4 + [False] * 2)])(graph)
    out[key].sum().backward()
    assert graph[key].grad.sum() == out[key].numel()
