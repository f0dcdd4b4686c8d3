import copy
import pickle

import pytest
import torch
from torch.utils.data import Subset
from torch_geometric.data import Batch, Data, HeteroData, InMemoryDataset
from torch_geometric.loader import DataLoader
from torch_geometric.nn import global_add_pool
from torch_geometric.transforms import Constant

from pyg_prosampler import GINEncoder, ProSamplerLoader, encode_dataset
from pyg_prosampler.policies import UniformPolicy


def sum_pool(batch):
    return global_add_pool(batch.x, batch.batch)


class InMemory(InMemoryDataset):
    def __init__(self, graphs, transform=None):
        super().__init__(transform=transform)
        self.data, self.slices = self.collate(graphs)


def make(graphs, batch_size=4, **kwargs):
    return ProSamplerLoader(graphs, batch_size, encoder=sum_pool, **kwargs)


def assert_same(found: Batch, expected: Batch):
    assert type(found) is type(expected)
    for name, value in expected.to_dict().items():
        assert torch.equal(found[name], value), name
    assert found.num_graphs == expected.num_graphs


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("kind", [list, InMemory])
def test_batches_equal_those_of_pyg(graphs, kind, num_workers):
    graphs = kind(graphs)
    loader = make(graphs, num_workers=num_workers, num_warmup_epochs=0)
    assert len(loader) == 3
    for _ in range(2):
        ids = []
        for batch in loader:
            chosen = [graphs[i] for i in batch.graph_id.tolist()]
            assert_same(batch, Batch.from_data_list(chosen))
            for index, data in zip(batch.graph_id, batch.to_data_list(), strict=True):
                assert data.graph_id.tolist() == [int(index)]
                assert torch.equal(data.x, graphs[int(index)].x)
            ids += batch.graph_id.tolist()
        assert sorted(ids) == list(range(10))


def test_same_batches_whatever_the_number_of_workers(graphs):
    epochs = [
        [batch.graph_id.tolist() for _ in range(3) for batch in loader]
        for loader in (
            make(graphs),
            make(graphs, num_workers=2),
            make(graphs, num_workers=1, persistent_workers=True, prefetch_factor=4),
        )
    ]
    assert epochs[0] == epochs[1] == epochs[2]


def test_options_pass_through(graphs):
    seen = []
    loader = make(
        graphs,
        follow_batch=["y"],
        exclude_keys=["edge_index"],
        generator=torch.Generator(),
        worker_init_fn=seen.append,
        timeout=0,
    )
    batch = next(iter(loader))
    assert "edge_index" not in batch
    assert batch.y_batch.tolist() == [0, 1, 2, 3]
    assert loader.worker_init_fn == seen.append
    assert isinstance(loader, DataLoader)
    assert "graph_id" not in next(iter(make(graphs, exclude_keys=["graph_id"])))


def test_excluded_keys_are_kept_from_the_encoder_and_the_collater(graphs):
    encoded = []

    def encoder(batch):
        encoded.append(batch)
        return sum_pool(batch)

    for kind in (list, InMemory):
        encoded.clear()
        loader = ProSamplerLoader(
            kind(graphs), 4, encoder=encoder, exclude_keys=["y"], num_warmup_epochs=0
        )
        assert all("y" not in batch for batch in loader)
        assert len(encoded) == 3
        assert all("y" not in batch for batch in encoded)


def test_global_random_state_is_left_alone(graphs):
    loader = make(graphs, generator=torch.Generator(), num_warmup_epochs=0)
    state = torch.get_rng_state()
    list(loader)
    assert torch.equal(torch.get_rng_state(), state)


def test_data_set_behaves_as_before(graphs):
    before = copy.deepcopy(graphs)
    loader = make(graphs)
    list(loader), list(loader)
    for graph, old in zip(graphs, before, strict=True):
        assert graph.to_dict().keys() == old.to_dict().keys()
        assert torch.equal(graph.x, old.x)
    assert len(loader.dataset) == 10
    assert loader.dataset[3] is graphs[3]
    assert list(loader.dataset)[9] is graphs[9]
    assert loader.dataset.append == graphs.append
    assert len(pickle.loads(pickle.dumps(loader.dataset))) == 10
    with pytest.raises(AttributeError):
        _ = loader.dataset.no_such_name


@pytest.mark.parametrize("num_workers", [0, 1])
def test_straight_from_storage(graphs, num_workers):
    dataset = InMemory(graphs)
    for source in (dataset, dataset[1:], dataset.shuffle(), Subset(dataset, range(4))):
        loader = make(
            source,
            num_workers=num_workers,
            follow_batch=["y"],
            exclude_keys=["edge_index"],
            num_warmup_epochs=0,
        )
        for batch in loader:
            assert loader.collate_fn.fast(batch.graph_id.tolist()) is not None
            chosen = [source[i] for i in batch.graph_id.tolist()]
            expected = Batch.from_data_list(
                chosen, follow_batch=["y"], exclude_keys=["edge_index"]
            )
            assert_same(batch, expected)


def test_transforms_after_construction(graphs):
    dataset = InMemory(graphs)
    loader = make(dataset, num_warmup_epochs=0)
    assert all(batch.x.size(1) == 3 for batch in loader)
    dataset.transform = Constant()
    assert all(batch.x.size(1) == 4 for batch in loader)
    assert loader.batch_sampler.latest_embeddings.size(1) == 4
    dataset.transform = None
    with pytest.warns(UserWarning, match="Clearing the cache"):
        dataset.data.x = dataset._data.x[:, :2]
    assert all(batch.x.size(1) == 2 for batch in loader)
    assert loader.batch_sampler.latest_embeddings.size(1) == 2


def test_data_set_is_looked_at_before_workers_are(graphs):
    loader = make(InMemory(graphs), num_workers=1, persistent_workers=True)
    for _ in range(2):
        assert sum(batch.num_graphs for batch in loader) == 10
    assert loader.collate_fn.fast._storage is not None


def test_memory_for_encoding_is_bounded(graphs):
    seen = []

    def encoder(batch):
        seen.append(batch.x)
        return sum_pool(batch)

    for max_kept_bytes, is_kept in ((2**20, True), (0, False)):
        loader = ProSamplerLoader(
            InMemory(graphs), 10, encoder=encoder, num_warmup_epochs=0,
            max_kept_bytes=max_kept_bytes,
        )  # fmt: skip
        seen.clear()
        list(loader), list(loader)
        assert (seen[0] is seen[1]) == is_kept


def test_other_kinds_of_graphs():
    graphs = []
    for index in range(6):
        data = HeteroData()
        data["paper"].x = torch.full((index + 1, 2), float(index))
        graphs.append(data)
    loader = ProSamplerLoader(
        graphs,
        3,
        encoder=lambda batch: global_add_pool(
            batch["paper"].x, batch["paper"].batch, batch.num_graphs
        ),
        num_warmup_epochs=0,
    )
    for batch in loader:
        for index, data in zip(batch.graph_id, batch.to_data_list(), strict=True):
            assert data["paper"].x.size(0) == int(index) + 1


def test_pairs_of_graphs(graphs):
    pairs = [(graph, graph) for graph in graphs]
    loader = ProSamplerLoader(pairs, 4, encoder=None, policy=UniformPolicy())
    for first, second in loader:
        assert torch.equal(first.graph_id, second.graph_id)


def test_bank(graphs):
    loader = make(graphs, embedding_source="bank", refresh_every=2)
    for epoch in range(3):
        for batch in loader:
            loader.update(batch, sum_pool(batch))
        assert loader.batch_sampler.report["warmup"] == (epoch == 0)
    expected = torch.stack([graph.x.sum(dim=0) for graph in graphs])
    assert torch.allclose(loader.bank(), expected)
    loader.update(torch.tensor([4]), torch.zeros(1, 3))
    assert loader.bank()[4].tolist() == [0, 0, 0]


def test_what_batches_were_drawn_by_stays_until_the_next_refresh(graphs):
    loader = make(graphs, embedding_source="bank")
    for batch in loader:
        loader.update(batch, sum_pool(batch))
    batches = iter(loader)
    batch = next(batches)
    latest = loader.batch_sampler.latest_embeddings.clone()
    loader.update(batch, torch.full((4, 3), 9.0))
    assert torch.equal(loader.batch_sampler.latest_embeddings, latest)
    assert torch.equal(loader.batch_sampler.prepared.x, latest)


def test_bank_misused(graphs):
    loader = make(graphs)
    batch = next(iter(loader))
    with pytest.raises(ValueError, match="create the loader with embedding_source="):
        loader.update(batch, sum_pool(batch))
    loader = make(graphs, embedding_source="bank", num_warmup_epochs=0)
    with pytest.raises(ValueError, match="embedding bank is empty"):
        list(loader)


@pytest.mark.parametrize("recompute_norms", [True, False])
def test_norms_that_graphs_are_drawn_by(graphs, recompute_norms):
    encoder = GINEncoder(3, 4, 2)
    encoder(Batch.from_data_list(graphs[:2]))  # Records statistics of two graphs.
    options = {} if recompute_norms else {"recompute_norms": False}
    loader = ProSamplerLoader(graphs, 2, encoder=encoder, **options)
    found = {
        choice: encode_dataset(encoder, graphs, batch_size=2, recompute_norms=choice)
        for choice in (True, False)
    }
    assert torch.equal(loader.batch_sampler.embeddings(), found[recompute_norms])
    assert not torch.allclose(found[True], found[False], atol=1e-2)


def test_follows_the_encoder(graphs):
    # The proximity graph is that of the weights at the refresh.
    encoder = torch.nn.Linear(3, 2)

    def encode(batch):
        return encoder(sum_pool(batch))

    loader = ProSamplerLoader(
        graphs, 2, encoder=encode, num_warmup_epochs=0, num_candidates=9,
        num_neighbors=1,
    )  # fmt: skip
    list(loader)
    first = loader.batch_sampler.prepared
    with torch.no_grad():
        encoder.weight.neg_().add_(torch.randn(2, 3))
    list(loader)
    assert not torch.equal(first.edge_weight, loader.batch_sampler.prepared.edge_weight)


def test_subsets_and_transforms(graphs):
    class Dataset(torch.utils.data.Dataset):
        def __len__(self):
            return len(graphs)

        def __getitem__(self, index):
            return Constant()(graphs[index])

    subset = torch.utils.data.Subset(Dataset(), [1, 3, 5, 7, 9])
    loader = ProSamplerLoader(subset, 2, encoder=sum_pool, num_warmup_epochs=0)
    ids = []
    for batch in loader:
        assert batch.x.size(1) == 4
        assert (batch.y == 1).all()
        ids += batch.graph_id.tolist()
    assert sorted(ids) == [0, 1, 2, 3, 4]


def test_last_batch_of_one_and_fewer_graphs_than_a_batch(graphs):
    loader = make(graphs, batch_size=3, num_warmup_epochs=0)
    assert [batch.num_graphs for batch in loader] == [3, 3, 3, 1]
    loader = make(graphs[:3], batch_size=8, num_warmup_epochs=0)
    assert [batch.num_graphs for batch in loader] == [3]


def test_graphs_without_edges_and_isolated_nodes():
    graphs = [
        Data(x=torch.randn(2, 3), edge_index=torch.empty(2, 0, dtype=torch.long))
        for _ in range(6)
    ]
    encoder = GINEncoder(3, 4, 2)
    loader = ProSamplerLoader(graphs, 3, encoder=encoder, num_warmup_epochs=0)
    assert sum(batch.num_graphs for batch in loader) == 6


def test_a_run_cut_short_goes_on_with_the_next_epoch(graphs):
    whole = make(graphs)
    epochs = [[batch.graph_id.tolist() for batch in whole] for _ in range(2)]
    cut = make(graphs)
    next(iter(cut))
    assert [batch.graph_id.tolist() for batch in cut] == epochs[1]
    cut.set_epoch(0)
    assert [batch.graph_id.tolist() for batch in cut] == epochs[0]


@pytest.mark.parametrize("name", ["shuffle", "sampler", "batch_sampler"])
def test_refuses_other_orders(graphs, name):
    with pytest.raises(ValueError, match=rf"`{name}` cannot be given \(got True\)"):
        make(graphs, **{name: True})


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"batch_size": 1}, r"`batch_size` should be at least 2"),
        ({"embedding_source": "head"}, r"`embedding_source` should be one of"),
        ({"coverage": "x"}, r"`coverage` should be one of"),
        ({"drop_last": True, "batch_size": 11}, r"`batch_size` .* at most 10"),
    ],
)
def test_bad_input(graphs, kwargs, message):
    with pytest.raises(ValueError, match=message):
        make(graphs, **kwargs)


def test_needs_an_encoder_and_graphs(graphs):
    with pytest.raises(TypeError, match="encoder"):
        ProSamplerLoader(graphs, 4)
    with pytest.raises(ValueError, match=r"`encoder` .*\(got None\); pass your model"):
        ProSamplerLoader(graphs, 4, encoder=None)
    with pytest.raises(ValueError, match=r"`dataset` .*\(got none\)"):
        ProSamplerLoader([], 4, encoder=sum_pool)
    with pytest.raises(ValueError, match=r"`encoder` should map .* \[4, channels\]"):
        list(ProSamplerLoader(graphs, 4, encoder=lambda b: b.x, num_warmup_epochs=0))


def test_nan_embeddings_name_the_graphs(graphs):
    graphs[7].x[0, 0] = torch.nan
    with pytest.raises(ValueError, match=r"NaN or infinite .*\(indices 7\)"):
        list(make(graphs, num_warmup_epochs=0))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_encoder_on_cuda(graphs):
    encoder = GINEncoder(3).cuda()
    loader = ProSamplerLoader(
        graphs, 4, encoder=encoder, num_warmup_epochs=0, pin_memory=True
    )
    for batch in loader:
        assert batch.graph_id.is_pinned()
        assert not batch.x.is_cuda
