import copy
import pickle
import warnings

import numpy as np
import pytest
import torch
import torch_geometric.transforms as T
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import ConcatDataset, DataLoader, Subset
from torch_geometric import EdgeIndex
from torch_geometric.data import Batch, Data, HeteroData, InMemoryDataset

from pyg_prosampler import layout, load_dataset, storage
from pyg_prosampler.collate import StorageCollater

INDICES = [4, 0, 7, 4, 2]

EXTRAS = (
    "cube", "edge_attr", "edge_batch", "face", "node_mask", "number", "pos", "scalar",
    "score", "small_index", "smiles", "some_index", "wide", "y",
)  # fmt: skip


class InMemory(InMemoryDataset):
    def __init__(self, graphs, transform=None):
        super().__init__(transform=transform)
        self.data, self.slices = self.collate(graphs)


class AsksEveryGraph(Data):
    r"""The rules of PyG, but they cannot be known beforehand."""

    def __inc__(self, key, value, *args, **kwargs):
        return super().__inc__(key, value, *args, **kwargs)


class Pair(Data):
    r"""Two graphs in one, edges between them, and a matrix for each graph."""

    def __inc__(self, key, value, *args, **kwargs):
        if key == "edge_index_t":
            return self.x_t.size(0)
        if key == "between_index":
            return torch.tensor([[self.num_nodes], [self.x_t.size(0)]])
        return super().__inc__(key, value, *args, **kwargs)

    def __cat_dim__(self, key, value, *args, **kwargs):
        if key == "matrix":
            return None
        if key == "wide":
            return 1
        return super().__cat_dim__(key, value, *args, **kwargs)


def edges(draw, num_sources, num_targets, dtype=torch.long):
    num = draw(st.integers(0, 6)) if min(num_sources, num_targets) else 0
    seed = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    source = torch.randint(max(num_sources, 1), (num,), generator=seed)
    target = torch.randint(max(num_targets, 1), (num,), generator=seed)
    return torch.stack([source, target]).to(dtype)


@st.composite
def data_sets(draw):
    r"""Any data set whose graphs can be collated from storage."""
    cls = draw(st.sampled_from([Data, AsksEveryGraph, Pair]))
    has_x, is_listed = draw(st.sampled_from([(1, 0), (0, 1), (1, 1)]))
    extras = draw(st.sets(st.sampled_from(EXTRAS)))
    graphs = []
    for index in range(draw(st.integers(2, 6))):
        n = draw(st.integers(0, 4))
        data = cls(edge_index=edges(draw, n, n))
        num_edges = data.edge_index.size(1)
        if has_x:
            data.x = torch.randn(n, 2)
        if is_listed:
            data.num_nodes = n
        values = {
            "edge_attr": torch.randn(num_edges, 3).half(),
            "y": torch.tensor([index % 2]),
            "pos": torch.randn(n, 3, dtype=torch.double),
            "number": index,
            "scalar": torch.tensor(float(index)),
            "score": index / 2,
            "smiles": f"C{index}",
            "node_mask": torch.rand(n) < 0.5,
            "some_index": torch.arange(n),
            "small_index": torch.arange(n, dtype=torch.int),
            "face": torch.randint(9, (3, index)),
            "cube": torch.randn(index + 1, 2, 2),
            "wide": torch.randn(2, index + 1),
            "edge_batch": torch.arange(index + 1),
        }
        for name in sorted(extras):
            if name != "wide" or cls is Pair:
                data[name] = values[name]
        if cls is Pair:
            m = draw(st.integers(0, 3))
            data.x_t = torch.randn(m, 1)
            data.edge_index_t = edges(draw, m, m)
            data.between_index = edges(draw, n, m)
            data.matrix = torch.randn(2, 3)
        graphs.append(data)
    return InMemory(graphs)


def assert_same_value(found, expected):
    assert type(found) is type(expected)
    if isinstance(expected, torch.Tensor):
        assert found.dtype == expected.dtype
        assert found.is_contiguous() == expected.is_contiguous()
        assert torch.equal(found, expected)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for name, value in expected.items():
            assert_same_value(found[name], value)
    else:
        assert found == expected


def assert_same(found: Batch, expected: Batch):
    assert type(found) is type(expected)
    assert found.__dict__.keys() == expected.__dict__.keys()
    assert list(found._store.__dict__) == list(expected._store.__dict__)
    for name, value in expected._store.__dict__.items():
        if name != "_parent":
            assert_same_value(found._store.__dict__[name], value)
    found_graphs = [*found.to_data_list(), *found.index_select([0]), found[0]]
    graphs = [*expected.to_data_list(), *expected.index_select([0]), expected[0]]
    for graph, other in zip(found_graphs, graphs, strict=True):
        assert type(graph) is type(other)
        assert_same_value(graph.to_dict(), other.to_dict())


def assert_collates(dataset, indices=INDICES, **kwargs):
    found = StorageCollater(dataset, **kwargs)(indices)
    assert found is not None
    expected = Batch.from_data_list([dataset[i] for i in indices], **kwargs)
    assert_same(found, expected)


@pytest.mark.parametrize("max_gathered", [0, 256])
@given(dataset=data_sets(), draw=st.data())
def test_is_the_batch_of_pyg(max_gathered, dataset, draw):
    index = st.integers(-len(dataset), len(dataset) - 1)
    indices = draw.draw(st.lists(index, min_size=1, max_size=8))
    keys = st.lists(st.sampled_from([*dataset._data.keys(), "none"]), unique=True)
    follow_batch, exclude_keys = draw.draw(keys), draw.draw(keys)
    options = {"follow_batch": follow_batch, "exclude_keys": exclude_keys}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "MAX_GATHERED", max_gathered)
        found = StorageCollater(dataset, **options)(indices)
    assert found is not None
    expected = Batch.from_data_list([dataset[i] for i in indices], **options)
    assert_same(found, expected)


class Odd(Data):
    r"""Its increments may add up to zero, and one is asked of the piece."""

    def __inc__(self, key, value, *args, **kwargs):
        if key == "some_index":
            return int(self.sign)
        return value.size(0) if key == "matrix_index" else 0

    def __cat_dim__(self, key, value, *args, **kwargs):
        return None if key == "matrix_index" else 0


def test_odd_increments_and_names(graphs):
    odd = [
        Odd(
            x=graph.x,
            sign=torch.tensor([(-1) ** index]),
            some_index=torch.arange(index),
            matrix_index=torch.ones(4, 2).long(),
            ptr=torch.arange(2),
        )
        for index, graph in enumerate(graphs)
    ]
    for indices in ([1, 2, 5], [2, 1, 3], [7]):
        assert_collates(InMemory(odd), indices)


class Marked(Data):
    r"""With something of its own in every graph and batch."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self._marks = []


def test_batches_begin_as_their_class_says(graphs):
    dataset = InMemory(
        [Marked(x=graph.x, edge_index=graph.edge_index) for graph in graphs]
    )
    assert_collates(dataset)
    collater = StorageCollater(dataset)
    collater([0])._store._marks.append(1)
    assert collater([0])._store._marks == []


@pytest.fixture
def dataset(graphs):
    return InMemory(graphs)


def test_what_is_known_beforehand_is_what_graphs_say(graphs):
    for graph in graphs:
        graph.n_id = torch.arange(graph.num_nodes)
        graph.node_index = torch.arange(2 * graph.num_nodes)
    for keep in (["x"], ["n_id"], ["node_index"]):
        some = [Data(**{k: g[k] for k in ("edge_index", *keep)}) for g in graphs]
        assert_collates(InMemory(some))


def test_sub_sets(dataset):
    assert_collates(dataset[2:])
    assert_collates(dataset[[9, 3, 3, -1, 0, 5, 6, 7, 8]])
    assert_collates(dataset[torch.arange(10) != 1])
    assert_collates(dataset[np.arange(9)])
    assert_collates(dataset.shuffle())
    assert_collates(dataset[1:].copy())
    assert_collates(Subset(dataset[::-1], range(8)))
    assert_collates(Subset(dataset, torch.arange(1, 9)))
    assert_collates(
        Subset(Subset(dataset, np.arange(9)[::-1]), [8, 7, 6, 5, 4, 3, 2, 1])
    )


def test_all_kinds_of_indices(dataset):
    expected = StorageCollater(dataset)([1, 3])
    for indices in (range(1, 4, 2), torch.tensor([1, 3]), np.array([1, 3]), (-9, -7)):
        assert_same(StorageCollater(dataset)(indices), expected)


def test_several_sizes_of_pieces(monkeypatch):
    graphs = []
    for index in range(10):
        x, index_ = torch.randn(3 + index, 2), torch.randint(3, (2, 400 + index))
        graphs.append(Data(x=x, edge_index=index_, edge_attr=index_[0].float()))
    dataset = InMemory(graphs)
    assert_collates(dataset, follow_batch=["edge_attr"])
    layout, _ = StorageCollater(dataset).locate([0])
    assert [len(attribute.views) for attribute in layout.attributes] == [0, 10, 10]
    assert layout.attributes[1].pieces is layout.attributes[2].pieces


def test_strided_storage(dataset):
    dataset._data.x = torch.randn(dataset._data.num_nodes, 6)[:, ::2]
    dataset._data.edge_index = dataset._data.edge_index.t().contiguous().t()
    dataset._data_list = None
    assert_collates(dataset)


# What PyG has to collate #####################################################


class OwnGet(InMemory):
    def get(self, idx):
        return super().get(self.len() - 1 - idx)


class OwnAccess(InMemory):
    def __getitem__(self, idx):
        return super().__getitem__(0)


class OwnCopy(Data):
    def __copy__(self):
        return Data(x=self.x)


class OwnIncrement(Data):
    def __inc__(self, key, value, *args, **kwargs):
        return 0.0


class OwnStart(Data):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.extra = torch.ones(1)


def with_attribute(graphs, make, name="extra"):
    graphs = copy.deepcopy(graphs)
    for index, graph in enumerate(graphs):
        graph[name] = make(index)
    return InMemory(graphs)


def edges_with_size(index):
    return EdgeIndex(torch.zeros(2, index, dtype=torch.long), sparse_size=(9, 9))


UNUSUAL = {
    "transform": lambda graphs: InMemory(graphs, T.Constant()),
    "own get": lambda graphs: OwnGet(graphs),
    "own access": lambda graphs: OwnAccess(graphs),
    "list": lambda graphs: graphs,
    "concatenated": lambda graphs: ConcatDataset([InMemory(graphs), InMemory(graphs)]),
    "a sub-set of a list": lambda graphs: Subset(graphs, range(10)),
    "lists": lambda graphs: with_attribute(graphs, lambda i: [torch.ones(i)]),
    "words": lambda graphs: with_attribute(graphs, lambda i: ["a"] * i),
    "dictionaries": lambda graphs: with_attribute(graphs, lambda i: {"a": i}),
    "sparse": lambda graphs: with_attribute(graphs, lambda i: torch.eye(2).to_sparse()),
    "gradient": lambda graphs: with_attribute(
        graphs, lambda i: torch.ones(1, requires_grad=True)
    ),
    "edge index": lambda graphs: with_attribute(graphs, edges_with_size, "edge_index"),
    "own copy": lambda graphs: InMemory([OwnCopy(x=graph.x) for graph in graphs]),
    "own increment": lambda graphs: InMemory([OwnIncrement(x=g.x) for g in graphs]),
    "small numbers": lambda graphs: InMemory(
        [
            Data(x=g.x, small_index=torch.ones(i + 1).char())
            for i, g in enumerate(graphs)
        ]
    ),
    "attributes of the class": lambda graphs: with_start(graphs),
    "own method": lambda graphs: with_method(graphs),
}


def with_start(graphs):
    dataset = InMemory([OwnStart(x=graph.x) for graph in graphs])
    del dataset.slices["extra"]
    return dataset


def with_method(graphs):
    dataset = InMemory(graphs)
    dataset.get = lambda index: graphs[0]
    return dataset


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
@pytest.mark.parametrize("name", UNUSUAL)
def test_leaves_the_unusual_to_pyg(name, graphs):
    dataset = UNUSUAL[name](graphs)
    assert StorageCollater(dataset)(INDICES) is None
    Batch.from_data_list([dataset[i] for i in INDICES])


def test_leaves_other_kinds_of_graphs_to_pyg():
    graphs = []
    for index in range(10):
        data = HeteroData()
        data["paper"].x = torch.randn(index, 2)
        graphs.append(data)
    assert StorageCollater(InMemory(graphs))(INDICES) is None


def test_leaves_a_single_graph_to_pyg(graphs):
    assert StorageCollater(InMemory(graphs[:1]))([0]) is None


def test_leaves_unknown_numbers_of_nodes_to_pyg(graphs):
    dataset = InMemory([Data(edge_index=graph.edge_index) for graph in graphs])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert StorageCollater(dataset)(INDICES) is None


def test_looks_at_the_unusual_once(graphs, monkeypatch):
    looked = []
    monkeypatch.setattr(storage, "find_layout", lambda *args: looked.append(args))
    collater = StorageCollater(InMemory(graphs))
    assert collater(INDICES) is None
    assert collater(INDICES) is None
    assert len(looked) == 1


@pytest.mark.parametrize("indices", [[], [0, 10], [-11], ["0"], [0.0], [None]])
def test_leaves_errors_to_pyg(dataset, indices):
    assert StorageCollater(dataset)(indices) is None
    assert StorageCollater(Subset(dataset, range(10)))(indices) is None


# Changes #####################################################################


def test_sees_changes_of_what_is_stored(dataset):
    collater = StorageCollater(dataset)

    def check():
        expected = Batch.from_data_list([dataset[i] for i in INDICES])
        found = collater(INDICES)
        if found is not None:
            assert_same(found, expected)
        return found is not None

    assert check()
    dataset._data.x.mul_(2)
    dataset[3].x.add_(1)
    assert check()
    with pytest.warns(UserWarning, match="Clearing the cache"):
        dataset.data.x = torch.randn(dataset._data.num_nodes, 7)
    assert check()
    with pytest.warns(UserWarning, match="Clearing the cache"):
        dataset.data.z = torch.arange(10)
    dataset.slices["z"] = torch.arange(11)
    assert check()
    dataset.transform = T.Constant()
    assert not check()
    dataset.transform = None
    assert check()
    other = InMemory([dataset[i] for i in range(9, -1, -1)])
    dataset.data, dataset.slices = other._data, other.slices
    assert check()
    dataset._indices = list(range(9))
    assert check()
    dataset._indices, dataset._data_list = None, None
    dataset.slices["y"] = torch.tensor([0, 2, *range(2, 11)])
    assert check()
    dataset._indices = [-1]
    assert collater([0]) is None


def test_sees_changes_in_place_of_where_graphs_lie(dataset):
    collater = StorageCollater(dataset)
    assert collater([1, 2]) is not None
    dataset.slices["x"][2] += 1
    dataset._data_list = None
    found = collater([1, 2])
    assert (
        found is None or found.x.size(0) == dataset[1].num_nodes + dataset[2].num_nodes
    )
    assert_same(collater([1, 2]), Batch.from_data_list([dataset[1], dataset[2]]))


def test_graphs_that_pyg_has_cached(dataset):
    collater = StorageCollater(dataset)
    list(dataset)
    assert collater(INDICES) is not None  # As they are stored.
    dataset._data_list[7].x = torch.zeros(1, 3)
    assert collater(INDICES) is None
    assert collater([0, 4, 2]) is not None
    dataset._data_list[0] = Data(x=torch.ones(1, 3))
    assert collater([0, 4, 2]) is None
    dataset._data_list[4].extra = 1
    assert collater([4]) is None
    dataset._data_list = None
    assert collater(INDICES) is not None
    # PyG keeps handing out what it has cached.
    list(dataset)
    dataset._data.x = dataset._data.x + 1
    assert collater(INDICES) is None


def test_cached_numbers_of_nodes(graphs):
    dataset = InMemory(
        [Data(edge_index=g.edge_index, num_nodes=g.num_nodes) for g in graphs]
    )
    list(dataset)
    assert_collates(dataset)
    dataset._data_list[0].num_nodes = 9
    assert StorageCollater(dataset)(INDICES) is None


def test_results_share_no_memory(dataset):
    first = StorageCollater(dataset)(INDICES)
    for _, value in first:
        value.zero_()
    assert first._slice_dict["x"].any()
    for value in first._slice_dict.values():
        value.fill_(7)
    assert not first.ptr.any()
    assert_collates(dataset)


def test_neither_data_set_nor_random_state_changes(dataset):
    before, state = copy.deepcopy(dataset._data), torch.get_rng_state()
    StorageCollater(dataset)(INDICES)
    assert dataset._data_list is None
    assert torch.equal(torch.get_rng_state(), state)
    assert_same_value(dataset._data.to_dict(), before.to_dict())


# Workers #####################################################################


def test_survives_pickling(dataset):
    collater = StorageCollater(dataset, ["x"], ["y"])
    expected = collater(INDICES)
    again = pickle.loads(pickle.dumps(collater))
    assert again._storage is None
    assert_same(again(INDICES), expected)


@pytest.mark.parametrize("max_gathered", [0, 256])
def test_workers_write_into_shared_memory(dataset, max_gathered, monkeypatch):
    monkeypatch.setattr(layout, "MAX_GATHERED", max_gathered)
    collater = StorageCollater(dataset)

    def shared(indices):
        batch = collater(indices)
        assert all(batch[name].is_shared() for name in ("x", "edge_index", "y"))
        return batch

    loader = DataLoader(range(10), 5, collate_fn=shared, num_workers=1)
    for first, batch in zip((0, 5), loader, strict=True):
        expected = [dataset[i] for i in range(first, first + 5)]
        assert_same(batch, Batch.from_data_list(expected))


# Real data ###################################################################


@pytest.mark.parametrize("name", ["MUTAG", "PROTEINS", "IMDB-BINARY"])
def test_real_data(name, shared_data, tmp_path):
    mirror = (shared_data / "tudataset").as_uri()
    dataset = load_dataset(name, tmp_path, mirror=mirror)
    for indices in torch.randperm(len(dataset))[:160].split(60):
        assert_collates(dataset, indices.tolist(), follow_batch=["x", "edge_index"])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu(dataset):
    assert_collates(dataset.cuda(), follow_batch=["x"])
