from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data
from torch_geometric.utils import is_undirected

from pyg_prosampler.transforms import EdgePerturbation
from tests.reference_transforms import pairs_of, share
from tests.transforms.graphs import (
    assert_law,
    augment,
    graph_lists,
    random_graph,
    same,
)


def edge_sets(graph):
    r"""The edges that count, each once, and the self-loops."""
    pairs = pairs_of(graph)
    undirected = is_undirected(graph.edge_index, num_nodes=graph.num_nodes)
    edges = {(u, v) for u, v in pairs if u < v or (u > v and not undirected)}
    return edges, sorted((u, v) for u, v in pairs if u == v), undirected


@given(graph_lists(), st.integers(0, 100), st.booleans())
def test_removes_and_adds_the_share(graphs, percent, add):
    p = percent / 100
    out = augment(EdgePerturbation(p, add=add), graphs)
    for graph, part in zip(graphs, out, strict=True):
        old, old_loops, undirected = edge_sets(graph)
        pairs = pairs_of(part)
        assert len(pairs) == len(set(pairs))
        assert sorted((u, v) for u, v in pairs if u == v) == old_loops
        if undirected:
            assert set(pairs) == {(v, u) for u, v in pairs}
        new = {(u, v) for u, v in pairs if u < v or (u > v and not undirected)}

        number = share(p, len(old))
        assert len(old - new) == number
        possible = graph.num_nodes * (graph.num_nodes - 1) // (1 + undirected)
        free = possible - len(old)
        assert len(new - old) == (min(number, free) if add else 0)


@given(graph_lists())
def test_attributes(graphs):
    for graph, part in zip(graphs, augment(EdgePerturbation(0.5), graphs), strict=True):
        assert torch.equal(part.x, graph.x)
        weights = dict(zip(pairs_of(graph), graph.edge_weight.tolist(), strict=True))
        left = [tuple(pair) for pair in part.edge_attr.tolist()]
        # Whatever edge stands there now, its attributes were those of one edge,
        assert len(left) == len(set(left))
        assert [weights[pair] for pair in left] == part.edge_weight.tolist()
        # its own if it is an old one.
        for pair, origin in zip(pairs_of(part), left, strict=True):
            assert pair == origin or pair not in weights
        # Both directions follow those of the same removed edge.
        if edge_sets(graph)[2]:
            origin_of = dict(zip(pairs_of(part), left, strict=True))
            for (u, v), (a, b) in origin_of.items():
                assert origin_of[v, u] == (b, a)


def test_law():
    r"""One of the three edges of a path goes, one of three other pairs comes."""
    path = torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]])
    graphs = [Data(edge_index=path, num_nodes=4)] * 4000
    transform = EdgePerturbation(0.34, generator=torch.Generator().manual_seed(0))
    out = transform(Batch.from_data_list(graphs))
    edges = [(0, 1), (1, 2), (2, 3)]
    others = [(0, 2), (0, 3), (1, 3)]
    law = {frozenset({*edges, new} - {old}): 1 / 9 for old in edges for new in others}
    found = [
        frozenset(pair for pair in pairs_of(part) if pair[0] < pair[1])
        for part in out.to_data_list()
    ]
    assert_law(found, law)


def test_law_of_directed_graphs():
    graphs = [Data(edge_index=torch.tensor([[0, 1], [1, 2]]), num_nodes=3)] * 4000
    transform = EdgePerturbation(0.5, generator=torch.Generator().manual_seed(0))
    out = transform(Batch.from_data_list(graphs))
    edges, others = [(0, 1), (1, 2)], [(1, 0), (2, 1), (0, 2), (2, 0)]
    law = {frozenset({*edges, new} - {old}): 1 / 8 for old in edges for new in others}
    assert_law([frozenset(pairs_of(part)) for part in out.to_data_list()], law)


def test_attributes_are_taken_over_at_random():
    r"""Even where all free pairs are taken, which are listed in order."""
    path = torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]])
    data = Data(edge_index=path, edge_attr=torch.tensor([1, 1, 2, 2, 3, 3]))
    data.num_nodes = 4
    transform = EdgePerturbation(1.0, generator=torch.Generator().manual_seed(0))
    parts = transform(Batch.from_data_list([data] * 3000)).to_data_list()
    first = [int(g.edge_attr[pairs_of(g).index((0, 2))]) for g in parts]
    assert_law(first, {1: 1 / 3, 2: 1 / 3, 3: 1 / 3})


def test_complete_graphs_only_lose_edges():
    complete = (1 - torch.eye(6)).nonzero().t()
    out = EdgePerturbation(0.2)(Data(edge_index=complete, num_nodes=6))
    assert out.num_edges == 30 - 2 * 3
    assert out.is_undirected()


def test_directions_as_edges_of_their_own():
    r"""What the public code does to undirected graphs."""
    graph = random_graph(9, 5)
    number = share(0.5, graph.num_edges)
    out = augment(EdgePerturbation(0.5, add=False, is_undirected=False), [graph])[0]
    assert out.num_edges == graph.num_edges - number
    assert not out.is_undirected()


@given(graph_lists(undirected=True))
def test_a_claim_gives_what_the_check_gives(graphs):
    views = [
        EdgePerturbation(
            0.5, is_undirected=claim, generator=torch.Generator().manual_seed(0)
        )(Batch.from_data_list(graphs))
        for claim in (None, True)
    ]
    assert same(*views)


def test_a_false_claim():
    data = Data(edge_index=torch.tensor([[0], [1]]), num_nodes=2)
    with pytest.raises(ValueError, match="`is_undirected=True`, but the edge"):
        EdgePerturbation(1.0, is_undirected=True)(data)


def test_parallel_edges_keep_symmetric():
    pair = torch.tensor([[0, 1], [1, 0]])
    data = Data(edge_index=torch.cat([pair, pair, pair, pair], dim=1), num_nodes=5)
    out = EdgePerturbation(0.5)(data)
    counts = Counter(pairs_of(out))
    assert all(counts[v, u] == number for (u, v), number in counts.items())
    assert counts[0, 1] == 2
    assert sum(counts.values()) == 8


def test_parallel_edges_take_one_pair():
    pair = torch.tensor([[0, 1], [1, 0]])
    data = Data(edge_index=torch.cat([pair, pair, pair, pair], dim=1), num_nodes=3)
    out = EdgePerturbation(1.0)(data)
    assert sorted(pairs_of(out)) == [(0, 2), (1, 2), (2, 0), (2, 1)]


def test_graphs_without_edges():
    for data in (
        Data(x=torch.ones(3, 1)),
        Data(x=torch.ones(3, 1), edge_index=torch.empty(2, 0, dtype=torch.long)),
        Data(x=torch.ones(1, 1), edge_index=torch.zeros(2, 1, dtype=torch.long)),
    ):
        assert same(EdgePerturbation(1.0)(data), data)
        augment(EdgePerturbation(1.0), [data, data])


def test_all_edges_may_go():
    out = augment(
        EdgePerturbation(1.0, add=False), [random_graph(5, i) for i in (1, 2)]
    )
    assert [part.num_edges for part in out] == [0, 0]
    assert [part.num_nodes for part in out] == [5, 5]


def test_bad_share():
    with pytest.raises(ValueError, match="`p` should lie in"):
        EdgePerturbation(-1)
