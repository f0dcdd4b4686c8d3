import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pyg_prosampler import ProSampler
from pyg_prosampler.policies import KNNPolicy
from tests.reference_policies import nearest_members, similarity_matrix


@given(st.integers(3, 30), st.integers(2, 10), st.integers(0, 100))
def test_against_brute_force_among_the_unused(num_nodes, batch_size, seed):
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(num_nodes, 5, generator=generator)
    similarity = similarity_matrix(embeddings)
    policy = KNNPolicy()
    members = torch.rand(num_nodes, generator=generator) < 0.7
    members[0] = True
    prepared = policy.prepare(lambda: embeddings, generator)
    batches = policy.batches(prepared, members, members, batch_size, 0, generator)
    for batch in batches:
        start = int(batch[0])
        free = members.nonzero().view(-1).tolist()
        assert start in free
        expected = nearest_members(similarity, start, free, batch_size)
        assert set(batch.tolist()) == expected
        members[batch] = False  # As the sampler does.
    assert not members.any()


def test_independent_batches_are_nearest_in_the_whole_data_set():
    embeddings = torch.randn(50, 4)
    similarity = similarity_matrix(embeddings)
    sampler = ProSampler(
        lambda: embeddings, 50, 6, policy=KNNPolicy(), coverage="independent",
        num_warmup_epochs=0,
    )  # fmt: skip
    starts = set()
    for _ in range(5):
        for batch in sampler:
            everyone = list(range(50))
            assert set(batch) == nearest_members(similarity, batch[0], everyone, 6)
            starts.add(batch[0])
    assert len(starts) > 20


def test_a_start_comes_before_its_copies():
    starts = torch.zeros(9, dtype=torch.bool)
    starts[5] = True
    generator = torch.Generator().manual_seed(0)
    drawn = set()
    for _ in range(40):
        batches = KNNPolicy().batches(
            torch.ones(9, 2), starts, torch.ones(9, dtype=torch.bool), 3, 0, generator
        )
        batch = next(batches).tolist()
        assert batch[0] == 5
        drawn.update(batch)
    assert drawn == set(range(9))


def test_the_weakest_batch_is_not_the_last():
    # A tight cluster and a cloud. As drawn, the weakest of 6 batches would be at 3.8
    # on average, since what is left over comes last.
    embeddings = torch.cat([torch.randn(40, 8) * 0.1 + 1, torch.randn(20, 8)])
    vectors = torch.nn.functional.normalize(embeddings)
    places = []
    for seed in range(100):
        sampler = ProSampler(
            lambda: embeddings, 60, 10, policy=KNNPolicy(), num_warmup_epochs=0,
            seed=seed,
        )  # fmt: skip
        hardness = [float(vectors[batch].mean(0).norm()) for batch in sampler]
        places.append(hardness.index(min(hardness)))
    assert sum(places) / 100 == pytest.approx(2.5, abs=0.5)
