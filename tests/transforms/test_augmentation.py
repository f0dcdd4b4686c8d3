import copy
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import global_add_pool
from torch_geometric.transforms import BaseTransform, Compose

from pyg_prosampler.transforms import (
    AttributeMasking,
    Augmentation,
    EdgePerturbation,
    Identity,
    NodeDropping,
    Subgraph,
    random4,
)
from tests.transforms.graphs import augment, graph_lists, random_graph, same

ALL = [
    NodeDropping,
    EdgePerturbation,
    AttributeMasking,
    Subgraph,
    random4,
]


def batch_of(*sizes):
    return Batch.from_data_list([random_graph(n, n) for n in sizes])


@given(graph_lists())
def test_identity(graphs):
    out = augment(Identity(), graphs)
    assert all(same(a, b) for a, b in zip(out, graphs, strict=True))


@pytest.mark.parametrize("make", ALL)
def test_a_generator_fixes_the_result(make):
    batch = batch_of(12, 11, 10, 14, 15, 16)
    a, b = (make(generator=torch.Generator().manual_seed(3)) for _ in range(2))
    first = a(batch)
    assert same(first, b(batch))
    before = torch.get_rng_state()
    a(batch)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("make", ALL)
def test_copies(make):
    batch = batch_of(12, 11, 10)
    transform = make(generator=torch.Generator().manual_seed(3))
    for twin in (
        copy.deepcopy(transform),
        pickle.loads(pickle.dumps(transform)),
        copy.copy(transform),
    ):
        assert repr(twin) == repr(transform)
        assert isinstance(twin, BaseTransform)
        if twin.generator is not transform.generator:
            start = copy.deepcopy(transform)
            assert same(twin(batch), start(batch))


@pytest.mark.parametrize("make", ALL)
def test_forward_alone_leaves_the_input(make):
    batch = batch_of(12, 11, 10)
    before = copy.deepcopy(batch)
    make().forward(batch)
    assert same(batch, before)


@pytest.mark.parametrize("make", ALL)
def test_views_of_views(make):
    graphs = [random_graph(12, i) for i in range(5)]
    augment(Compose([make(), make(), random4()]), graphs)


@pytest.mark.parametrize("make", ALL)
def test_as_the_transform_of_a_loader(make):
    graphs = [random_graph(12, i) for i in range(4)]
    graphs = [make()(graph) for graph in graphs]
    for batch in DataLoader(graphs, batch_size=2):
        assert batch.num_graphs == 2


@given(graph_lists(), st.sampled_from(ALL))
def test_pooling_is_finite(graphs, make):
    view = make()(Batch.from_data_list(graphs))
    pooled = global_add_pool(view.x, view.batch, view.num_graphs)
    assert pooled.shape == (len(graphs), 3)
    assert bool(pooled.isfinite().all())


def test_repr():
    assert repr(NodeDropping(0.2)) == "NodeDropping(p=0.2)"
    assert "std=0.5" in repr(AttributeMasking())
    assert "add=False" in repr(EdgePerturbation(add=False))


def test_own_augmentation():
    class DropFirst(Augmentation):
        def change(self, data, layout, chosen=None):
            mask = torch.ones_like(layout.batch, dtype=torch.bool)
            mask[layout.ptr[:-1]] = False
            return data, mask, None

    out = augment(DropFirst(), [random_graph(n, n) for n in (3, 5)])
    assert [part.node_id.tolist() for part in out] == [[1, 2], [1, 2, 3, 4]]


def test_graphs_without_features():
    for make in (NodeDropping, EdgePerturbation, Subgraph):
        graph = Data(edge_index=random_graph(8, 1).edge_index, num_nodes=8)
        assert (
            make()(graph).num_nodes == make()(Batch.from_data_list([graph])).num_nodes
        )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("make", ALL)
def test_a_gpu_gives_the_same(make):
    batch = batch_of(12, 11, 10, 14, 15, 16)
    views = [
        make(generator=torch.Generator().manual_seed(3))(batch.to(device)).cpu()
        for device in ("cpu", "cuda")
    ]
    assert same(*views)
    on_gpu = batch.to("cuda")
    assert make()(on_gpu).x.is_cuda
    make(generator=torch.Generator("cuda").manual_seed(3))(on_gpu)
