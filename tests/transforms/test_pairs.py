from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data

from pyg_prosampler.transforms.layout import Layout
from pyg_prosampler.transforms.pairs import Edges, random_non_edges
from tests.reference_transforms import pairs_of
from tests.transforms.graphs import assert_law, graph_lists


def edges_of(graphs, undirected=None, chosen=None):
    batch = Batch.from_data_list(graphs)
    layout = Layout.of(batch, "test")
    return Edges.of(batch.edge_index, layout, chosen, undirected), layout, batch


@given(graph_lists())
def test_undirected_graphs_are_found(graphs):
    r"""Against PyG's test, which sorts the edges twice."""
    edges, _, _ = edges_of(graphs)
    for graph, found in zip(graphs, edges.undirected.tolist(), strict=True):
        plain = Data(edge_index=graph.edge_index, num_nodes=graph.num_nodes)
        assert found == plain.is_undirected()


def test_a_missing_direction_is_found():
    rows = [[0, 1, 1], [1, 0, 2]], [[0, 1, 0], [1, 0, 1]], [[0, 1], [1, 2]]
    for edge_index in rows:
        edges, _, _ = edges_of([Data(edge_index=torch.tensor(edge_index), num_nodes=3)])
        assert edges.undirected.tolist() == [False]


@given(graph_lists(), st.data())
def test_edges_are_sorted_and_without_loops(graphs, data):
    chosen = torch.tensor([data.draw(st.booleans()) for _ in graphs])
    edges, layout, batch = edges_of(graphs, chosen=chosen)
    original = batch.edge_index[:, edges.position]
    assert torch.equal(original, torch.stack([edges.source, edges.target]))
    assert bool((edges.key.diff() > 0).all())
    assert torch.equal(edges.graph, layout.batch[edges.source])
    expected = sum(
        u != v
        for graph, mine in zip(graphs, chosen.tolist(), strict=True)
        for u, v in pairs_of(graph) * mine
    )
    assert edges.position.numel() == expected


@given(graph_lists(shuffled=True))
def test_reverse(graphs):
    edges, layout, _ = edges_of(graphs)
    everything = torch.arange(edges.key.numel())
    reverse = edges.reverse(everything, layout.num_nodes)
    assert torch.equal(reverse[reverse], everything)
    paired = edges.undirected[edges.graph]
    assert torch.equal(edges.source[reverse][paired], edges.target[paired])
    assert torch.equal(reverse[~paired], everything[~paired])


def test_reverse_of_parallel_edges():
    edge_index = torch.tensor([[1, 0, 1, 0, 0, 1], [0, 1, 0, 1, 2, 2]])
    edge_index = torch.cat([edge_index, torch.tensor([[2, 2], [0, 1]])], dim=1)
    edges, layout, _ = edges_of([Data(edge_index=edge_index, num_nodes=3)])
    assert edges.undirected.tolist() == [True]
    forward = edges.forward()
    reverse = edges.reverse(forward, layout.num_nodes)
    assert sorted(torch.cat([forward, reverse]).tolist()) == list(range(8))


def test_a_false_claim_is_refused():
    graph = Data(edge_index=torch.tensor([[0, 1, 1], [1, 0, 2]]), num_nodes=3)
    edges, layout, _ = edges_of([graph], undirected=True)
    with pytest.raises(ValueError, match=r"edge \(1, 2\) has no reverse"):
        edges.reverse(edges.forward(), layout.num_nodes)


@given(graph_lists(), st.integers(0, 40))
def test_non_edges_are_all_there_are(graphs, wanted):
    edges, layout, _ = edges_of(graphs)
    count = torch.full_like(layout.sizes, wanted)
    source, target, count = random_non_edges(
        edges, edges.forward(), layout, count, None
    )
    assert torch.equal(
        layout.batch[source], torch.arange(len(graphs)).repeat_interleave(count)
    )
    pairs = zip(source.split(count.tolist()), target.split(count.tolist()), strict=True)
    for g, (us, vs) in enumerate(pairs):
        start, size = int(layout.ptr[g]), graphs[g].num_nodes
        found = list(zip((us - start).tolist(), (vs - start).tolist(), strict=True))
        free = {
            (u, v)
            for u in range(size)
            for v in range(size)
            if u != v and (u < v or not edges.undirected[g])
        } - set(pairs_of(graphs[g]))
        assert set(found) <= free
        assert len(found) == len(set(found)) == min(wanted, len(free))


def test_non_edges_are_uniform():
    path = Data(edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), num_nodes=4)
    edges, layout, _ = edges_of([path] * 3000)
    source, target, _ = random_non_edges(
        edges,
        edges.forward(),
        layout,
        torch.ones_like(layout.sizes),
        torch.Generator().manual_seed(0),
    )
    start = layout.ptr[:-1]
    pairs = zip((source - start).tolist(), (target - start).tolist(), strict=True)
    assert_law(pairs, dict.fromkeys([(0, 2), (0, 3), (1, 3), (2, 3)], 1 / 4))
    assert max(Counter(layout.batch[source].tolist()).values()) == 1
