import random
from functools import partial

import numpy as np
import pytest
import torch
from torch.utils.data import Subset
from torch_geometric.data import Batch, InMemoryDataset
from torch_geometric.nn import global_add_pool
from torch_geometric.transforms import Constant

from pyg_prosampler import EmbeddingBank, GINEncoder, encode_dataset
from pyg_prosampler.encode import DatasetEncoder


def sum_pool(batch):
    return global_add_pool(batch.x, batch.batch)


class Noisy:
    r"""A transform that draws from every global source of randomness."""

    def __call__(self, data):
        random.random(), np.random.rand(), torch.rand(1)  # noqa: NPY002
        return data


def test_equals_one_graph_at_a_time(graphs):
    expected = torch.stack([graph.x.sum(dim=0) for graph in graphs])
    for batch_size in (1, 3, 10, 100):
        found = encode_dataset(sum_pool, graphs, batch_size=batch_size)
        assert torch.allclose(found, expected)


def test_leaves_the_encoder_and_all_random_states_alone(graphs):
    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.gin = GINEncoder(3, 4, 2)
            self.dropout = torch.nn.Dropout(0.5)

        def forward(self, batch):
            assert not self.training
            assert not any(module.training for module in self.modules())
            noise = torch.rand(1)
            return torch.nn.functional.dropout(self.gin(batch), training=True) + noise

    encoder = Encoder().train()
    encoder.gin.norms[1].eval()  # A flag of its own.
    flags = [module.training for module in encoder.modules()]
    buffers = {name: value.clone() for name, value in encoder.named_buffers()}
    states = random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    rng_state = torch.get_rng_state()

    transformed = [Noisy()(graph) for graph in graphs]
    random.setstate(states[0])

    class Dataset:
        def __len__(self):
            return len(transformed)

        def __getitem__(self, index):
            return Noisy()(transformed[index])

    torch.set_rng_state(rng_state)
    np.random.seed(1)  # noqa: NPY002
    states = random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    out = encode_dataset(encoder, Dataset(), batch_size=4)
    assert not out.requires_grad
    assert [module.training for module in encoder.modules()] == flags
    for name, value in encoder.named_buffers():
        assert torch.equal(value, buffers[name])
    assert random.getstate() == states[0]
    assert np.array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), rng_state)


def test_a_method_of_a_module_counts_as_the_module(graphs):
    class Model(torch.nn.Module):
        def embed(self, batch):
            assert not self.training
            return sum_pool(batch)

    model = Model().train()
    for encoder in (model.embed, partial(model.embed), partial(partial(model.embed))):
        encode_dataset(encoder, graphs)
        assert model.training


def test_flags_come_back_after_an_error(graphs):
    class Broken(torch.nn.Module):
        def forward(self, batch):
            raise RuntimeError("broken")

    encoder = Broken().train()
    with pytest.raises(RuntimeError, match="broken"):
        encode_dataset(encoder, graphs)
    assert encoder.training


@pytest.mark.parametrize(
    ("encoder", "got"),
    [
        (lambda batch: batch.x, r"shape \[43, 3\]"),
        (lambda batch: sum_pool(batch)[0], r"shape \[3\]"),
        (lambda batch: (sum_pool(batch), 1), "a tuple"),
    ],
)
def test_wrong_output(graphs, encoder, got):
    message = (
        rf"`encoder` should map a batch of 10 graphs to \[10, channels\] \(got {got}"
    )
    with pytest.raises(ValueError, match=message):
        encode_dataset(encoder, graphs)


def test_bad_input(graphs):
    with pytest.raises(ValueError, match="`dataset` should hold at least one graph"):
        encode_dataset(sum_pool, [])
    with pytest.raises(ValueError, match=r"`recompute_norms`, .*\(got 1\); pass"):
        encode_dataset(GINEncoder(3), graphs[:1], recompute_norms=True)
    assert encode_dataset(GINEncoder(3), graphs[:1]).size(0) == 1
    with pytest.raises(ValueError, match=r"`batch_size` .*\(got 0\)"):
        encode_dataset(sum_pool, graphs, batch_size=0)
    with pytest.raises(ValueError, match=r"`device` is 'meta', but .* on 'cpu'"):
        encode_dataset(GINEncoder(3), graphs, device="meta")
    split = torch.nn.ModuleList([torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)])
    split[0].to("meta")
    with pytest.raises(ValueError, match=r"one device \(got \['cpu', 'meta'\]\)"):
        encode_dataset(split, graphs)


def test_what_the_bank_has_given_stays_as_it_is():
    bank = EmbeddingBank(2)
    bank.update(torch.tensor([0]), torch.ones(1, 2))
    given = bank()
    bank.update(torch.tensor([0]), torch.zeros(1, 2))
    assert given[0].tolist() == [1, 1]


def test_bank_keeps_the_latest():
    bank = EmbeddingBank(4)
    with pytest.raises(ValueError, match=r"bank is empty; call `loader.update"):
        bank()
    values = torch.ones(2, 3, requires_grad=True)
    bank.update(torch.tensor([1, 3]), values)
    assert not bank().requires_grad
    assert bank()[[0, 2]].eq(0).all()
    bank.update(torch.tensor([3]), torch.full((1, 3), 7.0))
    assert bank().sum(dim=1).tolist() == [0, 3, 0, 21]
    with pytest.raises(ValueError, match=r"3 channels .*\(got 2\)"):
        bank.update(torch.tensor([0]), torch.ones(1, 2))
    with pytest.raises(ValueError, match=r"each of the 1 graphs .*\[2, 3\]"):
        bank.update(torch.tensor([0]), torch.ones(2, 3))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_cuda_equals_cpu(graphs):
    encoder = GINEncoder(3)
    expected = encode_dataset(encoder, graphs)
    state = torch.cuda.get_rng_state()
    found = encode_dataset(encoder.cuda(), graphs, device="cuda")
    assert found.is_cuda
    assert torch.allclose(found.cpu(), expected, rtol=1e-4)
    assert torch.equal(torch.cuda.get_rng_state(), state)
    with pytest.raises(ValueError, match="lives on 'cuda:0'"):
        encode_dataset(encoder, graphs, device="cpu")


def test_batches_equal_those_of_pyg(graphs):
    seen = []
    encode_dataset(lambda batch: seen.append(batch) or sum_pool(batch), graphs)
    expected = Batch.from_data_list(graphs)
    assert seen[0].to_dict().keys() == expected.to_dict().keys()
    assert torch.equal(seen[0].edge_index, expected.edge_index)


# Batches that are kept ########################################################


class InMemory(InMemoryDataset):
    def __init__(self, graphs):
        super().__init__()
        self.data, self.slices = self.collate(graphs)


class Recorder:
    r"""An encoder that keeps the batches it was given."""

    def __init__(self, encoder=sum_pool):
        self.encoder = encoder
        self.batches = []

    def __call__(self, batch):
        self.batches.append(batch)
        return self.encoder(batch)

    def edges(self):
        return [batch.edge_index for batch in self.batches]


def plain(encoder, dataset, batch_size):
    r"""One batch after the other, as PyG collates them."""
    graphs = [dataset[i] for i in range(len(dataset))]
    parts = [graphs[i : i + batch_size] for i in range(0, len(graphs), batch_size)]
    return torch.cat([encoder(Batch.from_data_list(part)) for part in parts])


def is_kept(encoder, recorder):
    r"""Whether two passes are given the same tensors."""
    recorder.batches.clear()
    first, second = encoder(), encoder()
    assert torch.equal(first, second)
    edges = recorder.edges()
    half = len(edges) // 2
    kept = [a is b for a, b in zip(edges[:half], edges[half:], strict=True)]
    assert len(set(kept)) == 1
    return kept[0]


@pytest.mark.parametrize("batch_size", [1, 3, 4, 10, 100])
def test_kept_batches_are_those_of_pyg(graphs, batch_size):
    dataset, recorder = InMemory(graphs), Recorder()
    encode = DatasetEncoder(recorder, dataset, batch_size=batch_size)
    expected = plain(sum_pool, dataset, batch_size)
    for _ in range(3):
        assert torch.equal(encode(), expected)
    assert torch.equal(
        encode_dataset(sum_pool, dataset, batch_size=batch_size), encode()
    )
    assert is_kept(encode, recorder)


def test_batches_are_kept_where_they_come_from_storage(graphs):
    recorder = Recorder()
    for dataset, expected in [
        (InMemory(graphs), True),
        (InMemory(graphs)[2:], True),
        (Subset(InMemory(graphs), [1, 4]), True),
        (graphs, False),
    ]:
        assert is_kept(DatasetEncoder(recorder, dataset, batch_size=2), recorder) == (
            expected
        )
        assert torch.equal(
            DatasetEncoder(recorder, dataset, batch_size=2)(),
            plain(sum_pool, dataset, 2),
        )


def test_no_stale_batches(graphs):
    dataset, recorder = InMemory(graphs), Recorder()
    subset = Subset(dataset, list(range(8)))
    encode = DatasetEncoder(recorder, subset, batch_size=4)

    def check(expect_kept=True):
        assert torch.equal(encode(), plain(sum_pool, subset, 4))
        assert is_kept(encode, recorder) == expect_kept

    check()
    dataset._data.x.mul_(2)
    check()
    dataset[5].x.add_(1)
    check()
    subset.indices[3] = 9
    check()
    dataset.transform = Constant()
    check(expect_kept=False)
    dataset.transform = None
    check()
    with pytest.warns(UserWarning, match="Clearing the cache"):
        dataset.data.x = torch.randn_like(dataset._data.x)
    check()
    list(dataset)
    dataset._data_list[6].x = torch.zeros(5, 3)
    assert torch.equal(encode(), plain(sum_pool, subset, 4))
    subset.indices = list(range(7))
    assert torch.equal(encode(), plain(sum_pool, subset, 4))


def test_kept_batches_stay_under_the_bound(graphs):
    dataset, recorder = InMemory(graphs), Recorder()
    expected = plain(recorder, dataset, 2)
    num_bytes = [sum(value.nbytes for _, value in batch) for batch in recorder.batches]
    for num_kept in range(6):
        recorder.batches.clear()
        encode = DatasetEncoder(
            recorder, dataset, batch_size=2, max_kept_bytes=sum(num_bytes[:num_kept])
        )
        for _ in range(2):
            assert torch.equal(encode(), expected)
        edges = recorder.edges()
        kept = [a is b for a, b in zip(edges[:5], edges[5:], strict=True)]
        assert kept == [index < num_kept for index in range(5)]


def test_encoders_that_change_their_batches(graphs):
    def assigns(batch):
        batch.x = batch.x + 1
        batch.edge_index = None
        batch.extra = torch.ones(1)
        return sum_pool(batch)

    def writes(batch):
        batch.x.add_(1)
        return sum_pool(batch)

    dataset = InMemory(graphs)
    for encoder in (assigns, writes):
        encode = DatasetEncoder(encoder, dataset, batch_size=4)
        expected = plain(encoder, InMemory(graphs), 4)
        for _ in range(3):
            assert torch.equal(encode(), expected)


def test_assigning_to_a_batch_does_not_cost_it(graphs):
    def assigns(batch):
        kept_x.append(batch.x)
        batch.x = batch.x + 1
        return sum_pool(batch)

    kept_x = []
    encode = DatasetEncoder(assigns, InMemory(graphs), batch_size=10)
    encode(), encode()
    assert kept_x[0] is kept_x[1]


def test_in_inference_mode(graphs):
    dataset, recorder = InMemory(graphs), Recorder()
    encode = DatasetEncoder(recorder, dataset, batch_size=4)
    with torch.inference_mode():
        assert is_kept(encode, recorder)
    assert torch.equal(encode(), plain(sum_pool, dataset, 4))


def test_excluded_keys_of_kept_batches(graphs):
    recorder = Recorder()
    encode = DatasetEncoder(recorder, InMemory(graphs), exclude_keys=["y"])
    assert is_kept(encode, recorder)
    assert all("y" not in batch for batch in recorder.batches)


def test_bad_bound(graphs):
    with pytest.raises(ValueError, match=r"`max_kept_bytes` .* negative \(got -1\)"):
        DatasetEncoder(sum_pool, graphs, max_kept_bytes=-1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_kept_batches_live_on_the_encoders_device(graphs):
    dataset, encoder = InMemory(graphs), GINEncoder(3)
    recorder = Recorder(encoder)
    encode = DatasetEncoder(recorder, dataset, device="cuda")
    encoder.cuda()
    assert is_kept(encode, recorder)
    assert all(edge_index.is_cuda for edge_index in recorder.edges())
    found = DatasetEncoder(encoder, dataset)
    assert found().is_cuda
    encoder.cpu()
    assert not found().is_cuda


@pytest.mark.parametrize("batch_size", [3, 4, 100])
def test_recomputed_norms_are_means_over_random_batches(graphs, batch_size):
    encoder = GINEncoder(3, 4, 1)
    encoder(Batch.from_data_list(graphs[:2]))  # Records statistics of two graphs.
    buffers = {name: value.clone() for name, value in encoder.named_buffers()}
    momentum = encoder.norms[0].momentum
    seen = []
    hook = encoder.register_forward_pre_hook(lambda _, inputs: seen.append(*inputs))
    found = encode_dataset(encoder, graphs, batch_size=batch_size, recompute_norms=True)
    hook.remove()

    num_batches = len(seen) // 2  # Two passes.
    assert num_batches == -(-len(graphs) // batch_size)
    sizes = [batch.num_graphs for batch in seen[:num_batches]]
    assert sum(sizes) == len(graphs)
    assert max(sizes) - min(sizes) <= 1
    inner = [_before_norm(encoder, batch) for batch in seen[:num_batches]]
    average = torch.stack([h.mean(0) for h in inner]).mean(0)
    variance = torch.stack([h.var(0) for h in inner]).mean(0)
    everything = Batch.from_data_list(graphs)
    h = _before_norm(encoder, everything)
    h = (h - average) / (variance + encoder.norms[0].eps).sqrt()
    assert torch.allclose(found, global_add_pool(h, everything.batch), atol=1e-5)

    assert not torch.allclose(found, encode_dataset(encoder, graphs), atol=1e-2)
    assert encoder.training
    assert encoder.norms[0].momentum == momentum
    for name, value in encoder.named_buffers():
        assert torch.equal(value, buffers[name])


@pytest.mark.parametrize("batch_size", [1, 2])
def test_no_graph_is_alone_where_norms_are_recomputed(graphs, batch_size):
    norm = torch.nn.BatchNorm1d(3)

    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = norm

        def forward(self, batch):
            return norm(global_add_pool(batch.x, batch.batch))

    sums = torch.stack([graph.x.sum(dim=0) for graph in graphs[:3]])
    found = encode_dataset(
        Encoder(), graphs[:3], batch_size=batch_size, recompute_norms=True
    )
    expected = (sums - sums.mean(0)) / (sums.var(0) + norm.eps).sqrt()
    assert torch.allclose(found, expected, atol=1e-5)


def _before_norm(encoder, batch):
    x, (source, target) = batch.x, batch.edge_index
    return encoder.convs[0].nn(x.index_add(0, target, x[source])).relu().detach()


def test_only_norms_are_in_training_mode_while_recomputed(graphs):
    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.gin = GINEncoder(3, 4, 2)
            self.gin.norms[1] = torch.nn.BatchNorm1d(4, track_running_stats=False)
            self.flags = []

        def forward(self, batch):
            norms = self.gin.norms
            self.flags.append((self.training, *(norm.training for norm in norms)))
            return self.gin(batch)

    encoder = Encoder()
    encode_dataset(encoder, graphs, recompute_norms=True)
    assert encoder.flags == [(False, True, False), (False, False, False)]
    encoder.gin.norms[0] = torch.nn.Identity()
    encoder.flags.clear()
    encode_dataset(encoder, graphs, recompute_norms=True)
    assert encoder.flags == [(False, False, False)]  # Nothing to be recomputed.


def test_recorded_statistics_come_back_after_an_error(graphs):
    encoder = GINEncoder(3, 4, 1)
    before = {name: value.clone() for name, value in encoder.named_buffers()}
    calls = []

    def fail(*_):
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("third batch")

    encoder.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="third batch"):
        encode_dataset(encoder, graphs, batch_size=4, recompute_norms=True)
    assert encoder.training
    assert encoder.norms[0].momentum == 0.1
    for name, value in encoder.named_buffers():
        assert torch.equal(value, before[name])
