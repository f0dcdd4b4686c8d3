r"""What every policy promises, through the sampler."""

import functools
import importlib.util
import operator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pyg_prosampler import ProSampler
from pyg_prosampler.policies import (
    B3Policy,
    GCBSPolicy,
    KNNPolicy,
    NGAMEPolicy,
    RandomWalkPolicy,
    UniformPolicy,
)
from pyg_prosampler.sampler import COVERAGES


def by_norm(embeddings, members, batch_size, generator):
    return members[embeddings[members].norm(dim=1).argsort()].split(batch_size)


has_metis = importlib.util.find_spec("pymetis") is not None
POLICIES = {
    "uniform": UniformPolicy,
    "walk": lambda: RandomWalkPolicy(1, 1, restart_prob=0.2),
    "two walks": lambda: RandomWalkPolicy(1, 1, restart_prob=0.2, num_starts=2),
    "knn": KNNPolicy,
    "gcbs": GCBSPolicy,
    "ngame": lambda: NGAMEPolicy(2, double_every=1),
    "function": lambda: by_norm,
} | ({"b3": lambda: B3Policy(0, 5, 3)} if has_metis else {})
CUT_AT_ONCE = {"uniform", "gcbs", "ngame", "function", "b3"}


def make(name, embeddings, batch_size, **kwargs):
    kwargs.setdefault("num_warmup_epochs", 0)
    num_instances = embeddings.size(0)
    return ProSampler(
        lambda: embeddings, num_instances, batch_size, policy=POLICIES[name](), **kwargs
    )


def random_embeddings(kind, num_instances, seed=0):
    generator = torch.Generator().manual_seed(seed)
    if kind == "random":
        return torch.randn(num_instances, 4, generator=generator)
    if kind == "copies":
        few = torch.randn(3, 4, generator=generator)
        return few[torch.arange(num_instances) % 3]
    return torch.zeros(num_instances, 2) if kind == "zero" else torch.eye(num_instances)


@pytest.mark.parametrize("name", POLICIES)
@given(
    st.sampled_from(["random", "copies", "zero", "eye"]),
    st.integers(2, 40),
    st.integers(2, 45),
    st.booleans(),
    st.sampled_from([None, 1, 3]),
    st.integers(0, 50),
)
def test_partition(name, kind, num_instances, batch_size, drop_last, refresh, seed):
    if drop_last:
        batch_size = min(batch_size, num_instances)
    sampler = make(
        name,
        random_embeddings(kind, num_instances),
        batch_size,
        drop_last=drop_last,
        refresh_every=refresh,
        seed=seed,
    )
    for _ in range(2):
        batches = list(sampler)
        assert len(batches) == len(sampler)
        assert all(len(batch) == batch_size for batch in batches[:-1])
        drawn = [index for batch in batches for index in batch]
        assert len(set(drawn)) == len(drawn)
        assert set(drawn) <= set(range(num_instances))
        num_left = num_instances % batch_size if drop_last else 0
        assert len(drawn) == num_instances - num_left


@pytest.mark.parametrize("coverage", COVERAGES)
@pytest.mark.parametrize("name", POLICIES)
def test_other_coverages(name, coverage):
    sampler = make(name, torch.randn(30, 4), 8, coverage=coverage)
    batches = list(sampler)
    assert len(batches) == len(sampler) == 4
    assert all(len(set(batch)) == len(batch) for batch in batches)
    drawn = functools.reduce(operator.iadd, batches[:-1], [])
    if name in CUT_AT_ONCE:  # A partition whatever the coverage.
        assert len(set(drawn)) == 24
        assert sampler.report["num_filled"] == (0 if coverage == "partition" else 2)


@pytest.mark.parametrize("name", POLICIES)
def test_bit_identical_from_seed_epoch_and_embeddings(name):
    embeddings = torch.randn(40, 4)
    state = torch.get_rng_state()
    epochs = [
        [list(sampler) for _ in range(3)]
        for sampler in (make(name, embeddings, 8, seed=seed) for seed in (0, 0, 1))
    ]
    assert torch.equal(torch.get_rng_state(), state)
    assert epochs[0] == epochs[1]
    if name != "function":  # This one draws nothing.
        assert epochs[0] != epochs[2]
        assert epochs[0][0] != epochs[0][1]
    sampler = make(name, embeddings, 8, seed=0)
    sampler.set_epoch(2)
    assert list(sampler) == epochs[0][2]


@pytest.mark.parametrize("name", sorted(CUT_AT_ONCE))
def test_nothing_is_filled_up(name):
    if name not in POLICIES:
        pytest.skip("pymetis is not installed")
    for num_instances in (40, 41, 47):
        sampler = make(name, torch.randn(num_instances, 4), 8)
        assert len(list(sampler)[-1]) == (num_instances % 8 or 8)
        assert sampler.fill_rate == 0


@pytest.mark.parametrize("name", ["gcbs", "ngame", "knn"])
def test_the_order_of_the_data_set_does_not_break_ties(name):
    # All instances are alike: batches are random, and not neighbours by number.
    sampler = make(name, torch.ones(64, 2), 8, seed=3)
    sampler.set_epoch(3)  # Where NGAME has clusters as large as batches.
    batches = list(sampler)
    spreads = [max(batch) - min(batch) for batch in batches]
    assert sum(spreads) / len(spreads) > 30


@pytest.mark.parametrize("name", sorted(set(POLICIES) - {"uniform", "function"}))
def test_harder_than_uniform(name):
    angles = torch.linspace(0, 6.28, 240)
    embeddings = torch.stack([angles.cos(), angles.sin()], dim=1)
    embeddings = embeddings[torch.randperm(240)]

    def similarity(policy):
        sampler = ProSampler(
            lambda: embeddings, 240, 12, num_warmup_epochs=0, policy=policy
        )
        batches = [embeddings[batch] for batch in sampler]
        return sum(float((b @ b.t()).mean()) for b in batches) / len(batches)

    policy = {
        "walk": RandomWalkPolicy(100, 10, restart_prob=0.2),
        "two walks": RandomWalkPolicy(100, 10, restart_prob=0.2, num_starts=2),
        "ngame": NGAMEPolicy(12, double_every=None),
        "knn": KNNPolicy(),
        "gcbs": GCBSPolicy(),
    }.get(name) or B3Policy(0, 12, 12)
    found = similarity(policy)
    assert found > similarity(UniformPolicy()) + 0.2
