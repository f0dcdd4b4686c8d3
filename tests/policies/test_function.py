import pytest
import torch

from pyg_prosampler import ProSampler
from pyg_prosampler.policies import FunctionPolicy, UniformPolicy


def make(function, num_instances=20, batch_size=5, **kwargs):
    embeddings = torch.arange(float(num_instances)).view(-1, 1)
    return ProSampler(
        lambda: embeddings, num_instances, batch_size, policy=function,
        num_warmup_epochs=0, **kwargs,
    )  # fmt: skip


def test_is_called_once_an_epoch_with_what_it_needs():
    calls = []

    def function(embeddings, members, batch_size, generator):
        calls.append((embeddings, members.tolist(), batch_size))
        order = torch.randperm(len(members), generator=generator)
        return members[order].split(batch_size)

    batches = list(make(function))
    assert len(calls) == 1
    assert calls[0][0].shape == (20, 1)
    assert calls[0][1:] == (list(range(20)), 5)
    assert sorted(i for batch in batches for i in batch) == list(range(20))
    # After a refresh, only who is unused.
    calls.clear()
    list(make(function, refresh_every=2))
    assert [len(members) for _, members, _ in calls] == [20, 10]


def test_generators_and_lists_and_order():
    def function(embeddings, members, batch_size, generator):
        yield [3, 1, 2]
        yield (4, 5)
        yield torch.tensor([7, 6], dtype=torch.int32)

    sampler = make(function, 8, 3, coverage="independent")
    batches = list(sampler)
    assert batches[0] == [3, 1, 2]
    assert batches[1][:2] == [4, 5]
    assert batches[2][:2] == [7, 6]
    assert sampler.report["num_filled"] == 2


def test_no_batches_are_uniform_batches():
    sampler = make(lambda *arguments: [], 12, 4)
    assert sorted(i for batch in sampler for i in batch) == list(range(12))
    assert sampler.fill_rate == 1.0


@pytest.mark.parametrize(
    "batch", [[1, 1], [-1, 2], [3, 20], [0.5, 1.0], [[1, 2]], [True, False]]
)
def test_bad_batches(batch):
    sampler = make(lambda *arguments: [batch])
    with pytest.raises(ValueError, match=r"`policy` .* distinct indices between 0 and"):
        list(sampler)


@pytest.mark.parametrize("policy", ["knn", 3, UniformPolicy])
def test_neither_policy_nor_function(policy):
    with pytest.raises(ValueError, match=r"`policy` should be a batch policy, such as"):
        make(policy)


def test_bad_input():
    with pytest.raises(ValueError, match=r"`function` should be called with"):
        FunctionPolicy("knn")
