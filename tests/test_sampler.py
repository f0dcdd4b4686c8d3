import functools
import operator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, TensorDataset

from pyg_prosampler import ProSampler
from pyg_prosampler.policies import UniformPolicy
from pyg_prosampler.sampler import COVERAGES


def make(num_instances=50, batch_size=8, *, embeddings=None, **kwargs):
    if embeddings is None:
        generator = torch.Generator().manual_seed(0)
        embeddings = torch.randn(num_instances, 4, generator=generator)
    return ProSampler(lambda: embeddings, num_instances, batch_size, **kwargs)


@given(
    st.integers(2, 60),
    st.integers(2, 70),
    st.booleans(),
    st.sampled_from(COVERAGES),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.sampled_from([None, 1, 3]),
    st.integers(0, 1),
    st.integers(0, 100),
)
def test_epochs_keep_their_promise(
    num_instances, batch_size, drop_last, coverage, restart_prob, refresh, warmup, seed
):
    if drop_last and batch_size > num_instances:
        batch_size = num_instances
    sampler = make(
        num_instances,
        batch_size,
        drop_last=drop_last,
        coverage=coverage,
        restart_prob=restart_prob,
        refresh_every=refresh,
        num_warmup_epochs=warmup,
        seed=seed,
    )
    for _ in range(2):
        batches = list(sampler)
        assert len(batches) == len(sampler)
        assert all(len(set(batch)) == len(batch) for batch in batches)
        assert all(0 <= i < num_instances for batch in batches for i in batch)
        full = batches if drop_last or coverage != "partition" else batches[:-1]
        assert all(len(batch) == min(batch_size, num_instances) for batch in full)
        if coverage == "partition":
            drawn = [i for batch in batches for i in batch]
            assert len(set(drawn)) == len(drawn)
            if not drop_last:
                assert sorted(drawn) == list(range(num_instances))


def test_len():
    assert len(make(50, 8)) == 7
    assert len(make(50, 8, drop_last=True)) == 6
    assert len(make(5, 8)) == 1
    assert len(make(16, 8)) == 2


@pytest.mark.parametrize("coverage", COVERAGES)
def test_bit_identical_from_the_same_seed(coverage):
    epochs = [
        [list(sampler) for _ in range(3)]
        for sampler in (make(seed=s, coverage=coverage) for s in (0, 0, 1))
    ]
    assert epochs[0] == epochs[1]
    assert epochs[0] != epochs[2]
    assert epochs[0][1] != epochs[0][2]
    # Any epoch can be drawn on its own.
    sampler = make(seed=0, coverage=coverage)
    sampler.set_epoch(2)
    assert list(sampler) == epochs[0][2]


def test_neighboring_seeds_share_no_epochs():
    first, second = make(seed=0), make(seed=1)
    first.set_epoch(1)
    second.set_epoch(0)
    assert list(first) != list(second)


def test_global_random_state_is_left_alone():
    sampler = make()
    state = torch.get_rng_state()
    list(sampler), list(sampler)
    assert torch.equal(torch.get_rng_state(), state)


def test_warmup_is_uniform_and_needs_no_embeddings():
    sampler = ProSampler(None, 30, 5, num_warmup_epochs=2)
    uniform = ProSampler(None, 30, 5, policy=UniformPolicy(), num_warmup_epochs=0)
    for _ in range(2):
        assert list(sampler) == list(uniform)
    with pytest.raises(TypeError):
        list(sampler)


@pytest.mark.parametrize(
    ("refresh_every", "expected"),
    [(None, [0, 3, 6]), (2, [0, 2, 4, 6, 8]), (5, [0, 5])],
)
def test_refreshes_count_steps_across_epochs(refresh_every, expected):
    steps, refreshed = [], []

    def embeddings():
        refreshed.append(len(steps))
        return torch.randn(24, 3)

    sampler = ProSampler(
        embeddings, 24, 8, refresh_every=refresh_every, num_warmup_epochs=0
    )
    for _ in range(3):
        for batch in sampler:
            steps.append(batch)
    assert refreshed == expected


def test_refresh_within_an_epoch_keeps_the_partition():
    sampler = make(64, 8, refresh_every=3, num_warmup_epochs=0)
    assert sorted(i for batch in sampler for i in batch) == list(range(64))


def test_hard_batches_are_harder_and_the_dials_work():
    generator = torch.Generator().manual_seed(0)
    angles = torch.rand(400, generator=generator) * 6.28
    embeddings = torch.stack([angles.cos(), angles.sin()], dim=1)

    def similarity(**kwargs):
        sampler = make(
            400, 20, embeddings=embeddings, num_warmup_epochs=0,
            coverage="independent", **kwargs,
        )  # fmt: skip
        values = []
        for batch in sampler:
            vectors = embeddings[batch]
            values.append(float((vectors @ vectors.t()).mean()))
        return sum(values) / len(values)

    uniform = similarity(policy=UniformPolicy())
    few = similarity(num_candidates=60, num_neighbors=30, restart_prob=0.2)
    many = similarity(num_candidates=399, num_neighbors=30, restart_prob=0.2)
    more = similarity(num_candidates=399, num_neighbors=30, restart_prob=0.7)
    assert uniform + 0.1 < few < many < more


def test_unseen_start_starts_at_unseen_instances():
    sampler = make(60, 10, coverage="unseen_start", num_warmup_epochs=0)
    seen = set()
    for batch in sampler:
        assert batch[0] not in seen
        seen.update(batch)


def test_independent_batches_repeat_instances():
    sampler = make(60, 10, coverage="independent", num_warmup_epochs=0)
    drawn = [i for batch in sampler for i in batch]
    assert len(set(drawn)) < len(drawn)


def test_fill_up_is_counted_and_uniform():
    # Pairs of twins, far from each other: a walk finds 2 of the 8 it needs.
    embeddings = torch.eye(20).repeat_interleave(2, dim=0)
    sampler = make(
        40, 8, embeddings=embeddings, num_candidates=39, num_neighbors=1,
        restart_prob=0.5, num_warmup_epochs=0, coverage="independent",
    )  # fmt: skip
    batches = list(sampler)
    assert sampler.fill_rate == pytest.approx(6 / 8)
    assert all(batch[0] // 2 == batch[1] // 2 for batch in batches)
    assert sampler.report["num_filled"] == 30
    sampler = make(40, 8, num_warmup_epochs=0, coverage="independent")
    list(sampler)
    assert sampler.fill_rate == 0


def test_terminates_on_disconnected_graphs_and_identical_embeddings():
    for embeddings in (torch.eye(30), torch.zeros(30, 2), torch.ones(30, 2)):
        for restart_prob in (0.0, 0.2, 1.0):
            sampler = make(
                30, 7, embeddings=embeddings, restart_prob=restart_prob,
                num_neighbors=1, num_warmup_epochs=0,
            )  # fmt: skip
            assert sorted(i for batch in sampler for i in batch) == list(range(30))


def test_a_hand_worked_epoch():
    # Two tight pairs: with the nearest neighbour alone, batches are the pairs.
    embeddings = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.1], [0.1, 1.0]])
    sampler = make(
        4, 2, embeddings=embeddings, num_candidates=3, num_neighbors=1,
        num_warmup_epochs=0,
    )  # fmt: skip
    for _ in range(5):
        assert sorted(sorted(batch) for batch in sampler) == [[0, 2], [1, 3]]


def test_serves_a_plain_torch_loader():
    values = torch.randn(30, 4)
    sampler = ProSampler(lambda: values, 30, 5)
    loader = DataLoader(TensorDataset(values), batch_sampler=sampler)
    for _ in range(2):
        rows = torch.cat([batch for (batch,) in loader])
        assert torch.equal(rows.sort(dim=0)[0], values.sort(dim=0)[0])


def test_a_policy_of_ones_own():
    class Consecutive:
        def prepare(self, embeddings, generator):
            return embeddings().size(0)

        def batches(self, prepared, starts, members, batch_size, epoch, generator):
            # Too large, and with what the epoch has used.
            yield from torch.arange(prepared).repeat(2).split(batch_size + 1)

    sampler = make(20, 5, policy=Consecutive(), num_warmup_epochs=0)
    batches = list(sampler)
    assert batches[0] == [0, 1, 2, 3, 4]
    assert sorted(functools.reduce(operator.iadd, batches, [])) == list(range(20))
    assert sampler.report["restart_prob"] is None


class Countdown:
    r"""Draws batches of consecutive numbers, from 0 on."""

    shuffle_partition = True

    def prepare(self, embeddings, generator):
        return None

    def batches(self, prepared, starts, members, batch_size, epoch, generator):
        while members.any():
            yield members.nonzero().view(-1)[:batch_size]


def test_early_and_late_batches_are_spread_evenly():
    firsts, lasts = set(), set()
    for seed in range(40):
        sampler = make(66, 2, policy=Countdown(), num_warmup_epochs=0, seed=seed)
        drawn = [batch[0] // 2 for batch in sampler]
        assert sorted(drawn) == list(range(33))
        for first in range(33 - 8):  # Any quarter of the epoch.
            quarter = sorted(drawn[first : first + 8])
            assert abs(sum(quarter) / 8 - 16) < 4
            assert quarter[0] < 9
            assert quarter[-1] > 23
        firsts.add(drawn[0])
        lasts.add(drawn[-1])
    assert len(firsts) > 15
    assert len(lasts) > 15


def test_the_smaller_batch_is_drawn_at_any_time_and_comes_last():
    lasts = set()
    for seed in range(30):
        sampler = make(13, 4, policy=Countdown(), num_warmup_epochs=0, seed=seed)
        batches = list(sampler)
        assert [len(batch) for batch in batches] == [4, 4, 4, 1]
        lasts.add(batches[-1][0])
        assert sampler.report["num_filled"] == 0
        short = make(
            13, 4, policy=Countdown(), num_warmup_epochs=0, seed=seed, drop_last=True
        )
        assert list(short) == batches[:-1]
    assert lasts == {0, 4, 8, 12}


@pytest.mark.parametrize("coverage", ["independent", "unseen_start"])
def test_other_coverages_take_batches_as_they_are_drawn(coverage):
    sampler = make(12, 4, policy=Countdown(), num_warmup_epochs=0, coverage=coverage)
    assert list(sampler) == [[0, 1, 2, 3]] * 3


def test_what_is_drawn_ahead_is_drawn_again_after_a_refresh():
    sampler = make(
        40, 4, policy=Countdown(), num_warmup_epochs=0, refresh_every=3, seed=1
    )
    drawn, left = [], set(range(40))
    for step, batch in enumerate(sampler):
        if step % 3 == 0:
            chunks = sorted(left)
        assert chunks.index(batch[0]) % 4 == 0
        left -= set(batch)
        drawn += batch
    assert sorted(drawn) == list(range(40))


def test_default_dials():
    for num_instances, expected in (
        (20000, (1000, 100)),
        (4999, (500, 100)),
        (188, (187, 18)),
        (2, (1, 1)),
    ):
        policy = ProSampler(None, num_instances, 2).policy
        assert (policy.num_candidates, policy.num_neighbors) == expected
    assert ProSampler(None, 9000, 2, num_neighbors=1500).policy.num_candidates == 1500


def test_too_many_candidates_are_clipped_with_a_notice():
    with pytest.warns(UserWarning, match="`num_candidates` is clipped from 500 to"):
        sampler = make(50, 8, num_candidates=500, num_warmup_epochs=0)
    list(sampler)  # No further notice.


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"batch_size": 1}, r"`batch_size` should be at least 2.*\(got 1\)"),
        ({"num_instances": 1}, r"`num_instances` should be at least 2.*\(got 1\)"),
        ({"batch_size": 51, "drop_last": True}, r"`batch_size` .* at most 50"),
        ({"coverage": "all"}, r"`coverage` should be one of .*\(got 'all'\)"),
        ({"seed": -1}, r"`seed` should not be negative \(got -1\)"),
        ({"refresh_every": 0}, r"`refresh_every` .*\(got 0\); pass None"),
        ({"num_warmup_epochs": -1}, r"`num_warmup_epochs` should not be negative"),
        ({"num_candidates": 0}, r"`num_candidates` should be at least 1"),
        ({"num_candidates": 5, "num_neighbors": 6}, r"`num_neighbors` .* = 5"),
        ({"restart_prob": 1.01}, r"`restart_prob` .*\(got 1.01\)"),
        ({"policy": UniformPolicy(), "max_steps": 5}, "are dials of the walk"),
        ({"policy": UniformPolicy(), "candidates": "shared"}, "are dials of the walk"),
        ({"candidates": "own"}, "`candidates` should be one of"),
        ({"policy": "knn"}, r"`policy` should be a batch policy.*\(got 'knn'\)"),
        ({"backend": "cuda"}, "`backend` should be one of"),
    ],
)
def test_bad_input(kwargs, message):
    with pytest.raises(ValueError, match=message):
        make(**kwargs)


def test_bad_embeddings():
    with pytest.raises(ValueError, match=r"one row for each of the 50 .*\(got 49\)"):
        list(make(embeddings=torch.randn(49, 2), num_warmup_epochs=0))
    embeddings = torch.randn(50, 2)
    embeddings[[3, 9]] = torch.nan
    with pytest.raises(ValueError, match=r"for 2 of 50 graphs \(indices 3, 9\)"):
        list(make(embeddings=embeddings, num_warmup_epochs=0))
    with pytest.raises(ValueError, match=r"`epoch` should not be negative"):
        make().set_epoch(-1)
