r"""Random graphs and checks that the tests of all augmentations share."""

import copy
from collections import Counter

import torch
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch_geometric.data import Batch, Data


def random_graph(
    num_nodes: int, seed: int, *, undirected=True, loops=False, shuffled=False
) -> Data:
    r"""A graph whose attributes tell which nodes and edges they belong to."""
    generator = torch.Generator().manual_seed(seed)
    density = torch.rand(1, generator=generator)
    adjacency = torch.rand(num_nodes, num_nodes, generator=generator) < density
    if undirected:
        adjacency = adjacency.triu() | adjacency.triu().t()
    if not loops:
        adjacency.fill_diagonal_(False)
    edge_index = adjacency.nonzero().t()
    if shuffled:
        perm = torch.randperm(edge_index.size(1), generator=generator)
        edge_index = edge_index[:, perm]
    num_edges = edge_index.size(1)
    return Data(
        x=torch.rand(num_nodes, 3, generator=generator),
        edge_index=edge_index,
        edge_attr=edge_index.t().clone(),
        edge_weight=torch.rand(num_edges, generator=generator),
        node_id=torch.arange(num_nodes),
        y=torch.tensor([seed % 2]),
        graph_id=torch.tensor([seed]),
        name=f"graph {seed}",
    )


@st.composite
def graph_lists(draw, **fixed):
    sizes = draw(st.lists(st.integers(0, 12), min_size=1, max_size=5))
    options = {name: st.booleans() for name in ("undirected", "loops", "shuffled")}
    return [
        random_graph(
            size,
            draw(st.integers(0, 10**6)),
            **{key: draw(value) for key, value in options.items()} | fixed,
        )
        for size in sizes
    ]


def same(a, b) -> bool:
    r"""Whether two graphs or batches have equal attributes."""
    a, b = a.to_dict(), b.to_dict()
    assert set(a) == set(b), set(a) ^ set(b)
    for key, value in a.items():
        equal = (
            value.dtype == b[key].dtype and torch.equal(value, b[key])
            if isinstance(value, torch.Tensor)
            else value == b[key]
        )
        assert equal, (key, value, b[key])
    return True


def augment(transform, graphs: list[Data], **kwargs) -> list[Data]:
    r"""Augments the batch of some graphs and returns the new graphs, after
    checking all that holds for every augmentation.
    """
    batch = Batch.from_data_list(graphs, **kwargs)
    before = copy.deepcopy(batch)
    out = transform(batch)
    assert same(batch, before)
    for name in ("_slice_dict", "_inc_dict"):
        assert all(
            torch.equal(value, getattr(before, name)[key])
            for key, value in getattr(batch, name).items()
            if value is not None
        )

    assert out is not batch
    assert type(out) is type(batch)
    assert out.num_graphs == len(graphs)
    parts = out.to_data_list()
    # The batch is what PyG would have made of the new graphs.
    again = Batch.from_data_list(parts, **kwargs)
    assert same(out, again)
    for name in ("_slice_dict", "_inc_dict"):
        old, new = getattr(out, name), getattr(again, name)
        assert set(old) == set(new)
        for key, value in new.items():
            assert value is None or torch.equal(old[key], value), key
    for part, graph in zip(parts, graphs, strict=True):
        assert part.validate()
        for key in ("y", "graph_id", "name"):
            assert key not in graph or part[key] == graph[key]
    return parts


def assert_law(outcomes, law: dict) -> None:
    r"""A chi-square test of outcomes against their probabilities."""
    counts = Counter(outcomes)
    total = sum(counts.values())
    assert set(counts) <= set(law)
    expected = [total * probability for probability in law.values()]
    assert min(expected) > 5 or len(law) == 1
    observed = [counts[outcome] for outcome in law]
    assert len(law) == 1 or chisquare(observed, expected).pvalue > 1e-4
