import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data
from torch_geometric.transforms import Constant

from pyg_prosampler.transforms import (
    AttributeMasking,
    EdgePerturbation,
    Identity,
    NodeDropping,
    RandomAugmentation,
    Subgraph,
    random2,
    random3,
    random4,
)
from tests.transforms.graphs import assert_law, augment, graph_lists, random_graph, same

RING = Data(
    x=torch.zeros(20, 1),
    edge_index=torch.stack(
        [
            torch.cat([torch.arange(20), (torch.arange(20) + 1) % 20]),
            torch.cat([(torch.arange(20) + 1) % 20, torch.arange(20)]),
        ]
    ),
)


def what_happened(part):
    r"""Tells the default augmentations of the ring apart by their traces."""
    if part.num_nodes == 18:
        return NodeDropping
    if part.num_nodes == 16:
        return Subgraph
    return AttributeMasking if part.x.any() else EdgePerturbation


@pytest.mark.parametrize(
    ("make", "kinds"),
    [
        (random2, [NodeDropping, Subgraph]),
        (random3, [NodeDropping, Subgraph, EdgePerturbation]),
        (random4, [NodeDropping, Subgraph, EdgePerturbation, AttributeMasking]),
    ],
)
def test_one_is_drawn_for_each_graph(make, kinds):
    transform = make(generator=torch.Generator().manual_seed(0))
    assert [type(part) for part in transform.augmentations] == kinds
    parts = augment(transform, [RING] * 1000)
    assert_law(map(what_happened, parts), {kind: 1 / len(kinds) for kind in kinds})


@given(graph_lists(), st.booleans())
def test_batches_are_whole(graphs, published):
    augment(random4(published), graphs, follow_batch=["x", "edge_attr"])


@given(graph_lists())
def test_graphs_not_chosen_stay(graphs):
    strong = [
        NodeDropping(0.5),
        Subgraph(0.5),
        EdgePerturbation(0.5),
        AttributeMasking(0.5),
    ]
    for part in strong:
        choice = RandomAugmentation(
            [part, Identity()], torch.Generator().manual_seed(0)
        )
        bound = torch.full((len(graphs),), 2)
        generator = torch.Generator().manual_seed(0)
        chosen = torch.randint(2**62, bound.shape, generator=generator) % bound == 0
        out = augment(choice, graphs)
        for graph, view, mine in zip(graphs, out, chosen.tolist(), strict=True):
            assert mine or same(view, graph)


def test_single_graphs():
    transform = random4(generator=torch.Generator().manual_seed(0))
    kinds = {what_happened(transform(RING)) for _ in range(40)}
    assert len(kinds) == 4


def test_choices_within_choices():
    inner = RandomAugmentation([NodeDropping(), Subgraph()])
    parts = augment(RandomAugmentation([inner, Identity()]), [RING] * 300)
    sizes = [part.num_nodes for part in parts]
    assert_law(sizes, {20: 0.5, 18: 0.25, 16: 0.25})


def test_two_of_the_same_kind():
    edges = [EdgePerturbation(0.2, add=False), EdgePerturbation(0.5, add=False)]
    parts = augment(RandomAugmentation(edges), [RING] * 300)
    assert_law([part.num_edges for part in parts], {32: 0.5, 20: 0.5})
    noise = [AttributeMasking(0.2), AttributeMasking(0.5)]
    parts = augment(RandomAugmentation(noise), [RING] * 300)
    assert_law([int((part.x != 0).sum()) for part in parts], {4: 0.5, 10: 0.5})


def test_public_code():
    parts = random4(published=True).augmentations
    assert (parts[1].published, parts[1].ratio) == (True, 0.2)
    assert (parts[2].add, parts[2].is_undirected) == (False, False)
    assert [type(part) for part in random2(True).augmentations] == [
        NodeDropping,
        Subgraph,
    ]


def test_one_seed_fixes_everything():
    batch = Batch.from_data_list([random_graph(9, i) for i in range(20)])
    views = [random4(generator=torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    views = [view(batch) for view in views]
    assert same(views[0], views[1])
    assert views[0].x.shape != views[2].x.shape
    for _ in range(2):
        torch.manual_seed(7)
        views.append(random4()(batch))
    assert same(views[3], views[4])


def test_bad_parts():
    with pytest.raises(ValueError, match="`augmentations` should not be empty"):
        RandomAugmentation([])
    with pytest.raises(TypeError, match=r"instances of `Augmentation` \(got Constant"):
        RandomAugmentation([NodeDropping(), Constant()])
