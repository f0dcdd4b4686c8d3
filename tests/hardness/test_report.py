import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from pyg_prosampler import ProSampler, ProSamplerLoader
from pyg_prosampler.hardness import hardness, spread, uniform_floor
from pyg_prosampler.policies import KNNPolicy, UniformPolicy
from tests.reference_hardness import (
    neighbors_found,
    pair_similarities,
    quantile,
    same_class_rate,
)
from tests.reference_sampling import mean_pair_similarity


def rounded(num_graphs, seed, width=3):
    r"""Embeddings on a coarse lattice: many of them are equally similar."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(1, 4, (num_graphs, width), generator=generator).float()


@st.composite
def batched(draw):
    num_graphs = draw(st.integers(3, 14))
    batch = st.lists(
        st.integers(0, num_graphs - 1), min_size=2, max_size=6, unique=True
    )
    return num_graphs, draw(st.lists(batch, min_size=1, max_size=4))


@given(batched(), st.sampled_from([None, 1, 2, 5, 40]), st.integers(0, 1000))
def test_equals_reference(case, num_neighbors, seed):
    num_graphs, batches = case
    embeddings = rounded(num_graphs, seed)
    labels = [index * index % 3 for index in range(num_graphs)]
    report = hardness(
        batches, embeddings, torch.tensor(labels), num_neighbors=num_neighbors
    )
    by_batch = [mean_pair_similarity(embeddings[batch]) for batch in batches]
    pairs = pair_similarities(embeddings, batches)
    drawn = [index for batch in batches for index in batch]

    assert report["similarity_by_batch"] == pytest.approx(by_batch, abs=1e-6)
    assert report["similarity"] == pytest.approx(sum(by_batch) / len(by_batch))
    assert report["similarity_floor"] == pytest.approx(mean_pair_similarity(embeddings))
    assert report["similarity_quartiles"] == pytest.approx(
        [quantile(pairs, share) for share in (0.25, 0.5, 0.75)], abs=1e-6
    )
    assert report["neighbors_found"] == pytest.approx(
        neighbors_found(embeddings, batches, num_neighbors)
    )
    assert report["false_negative_rate"] == pytest.approx(
        same_class_rate(labels, batches)
    )
    assert report["false_negative_floor"] == uniform_floor(torch.tensor(labels))
    assert report["num_graphs"] == num_graphs
    assert report["num_batches"] == len(batches)
    assert report["num_drawn"] == len(drawn)
    assert report["num_unique"] == len(set(drawn))
    assert report["num_repeats"] == len(drawn) - len(set(drawn))
    assert report["coverage"] == len(set(drawn)) / num_graphs
    assert report["spread"] == pytest.approx(spread(embeddings))
    assert report["fill_rate"] is None


def test_uniform_batches_are_at_their_floors():
    embeddings = torch.randn(60, 4)
    labels = torch.arange(60) % 3
    total = dict.fromkeys(["similarity", "neighbors_found", "false_negative_rate"], 0.0)
    for seed in range(30):
        report = hardness(UniformPolicy(), embeddings, labels, batch_size=6, seed=seed)
        for key in total:
            total[key] += report[key] / 30
    assert total["similarity"] == pytest.approx(report["similarity_floor"], abs=0.03)
    assert report["neighbors_floor"] == pytest.approx(5 / 59)
    assert total["neighbors_found"] == pytest.approx(5 / 59, abs=0.02)
    # Without replacement, pairs of the same class are a bit rarer than the floor.
    assert total["false_negative_rate"] == pytest.approx(19 / 59, abs=0.03)


def test_everybody_in_one_batch_finds_all_neighbours():
    report = hardness([list(range(9))], torch.randn(9, 3))
    assert report["neighbors_found"] == report["neighbors_floor"] == 1.0
    assert report["similarity"] == pytest.approx(report["similarity_floor"])


@pytest.mark.parametrize("num_neighbors", [None, 1, 2])
def test_whoever_is_as_near_is_a_neighbour(num_neighbors):
    # The same direction, but for the rounding.
    embeddings = torch.rand(40, 1) * torch.rand(1, 7)
    report = hardness(
        torch.arange(40).split(4), embeddings, num_neighbors=num_neighbors
    )
    assert report["neighbors_found"] == 1.0


def test_independent_nearest_neighbours_are_found_by_their_start():
    # Two tight clusters: whoever starts, its batch is its cluster.
    embeddings = torch.eye(2).repeat_interleave(6, dim=0) + 0.01 * torch.rand(12, 2)
    sampler = ProSampler(
        lambda: embeddings, 12, 6, policy=KNNPolicy(), num_warmup_epochs=0
    )
    report = hardness(sampler, embeddings, torch.arange(12) // 6)
    assert report["neighbors_found"] == 1.0
    assert report["false_negative_rate"] == 1.0
    assert (report["coverage"], report["num_repeats"]) == (1.0, 0)


def test_all_that_gives_batches(graphs):
    embeddings = torch.randn(10, 4)
    loader = ProSamplerLoader(
        graphs, 4, encoder=lambda batch: embeddings, encode_batch_size=10
    )
    sampler = loader.batch_sampler
    loader.set_epoch(3)
    expected = list(sampler)
    fill_rate = sampler.fill_rate

    loader.set_epoch(3)
    report = hardness(loader, embeddings)
    assert report["fill_rate"] == fill_rate
    assert report == hardness(sampler, embeddings, epoch=3)
    by_list = hardness(expected, embeddings)
    assert by_list == report | {"fill_rate": None}
    assert by_list == hardness([torch.tensor(batch) for batch in expected], embeddings)
    loader.set_epoch(3)
    assert by_list == hardness(list(loader), embeddings)


def test_a_sampler_goes_on_as_if_nothing_had_been_drawn():
    embeddings = torch.randn(20, 4)

    def epochs(watched):
        sampler = ProSampler(lambda: embeddings, 20, 6, refresh_every=3)
        out = []
        for _ in range(3):
            out.append(list(sampler))
            report = dict(sampler.report, seconds=0)
            if watched:
                hardness(sampler, embeddings)
            assert dict(sampler.report, seconds=0) == report
        return out

    assert epochs(watched=True) == epochs(watched=False)


def test_plain_loaders_and_functions():
    embeddings = torch.randn(10, 4)
    loader = DataLoader(list(range(10)), batch_size=5)
    expected = hardness([[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]], embeddings)
    assert hardness(loader, embeddings) == expected

    def in_order(embeddings, members, batch_size, generator):
        return members.split(batch_size)

    report = hardness(in_order, embeddings, batch_size=5)
    assert report == expected | {"fill_rate": 0.0}


def test_fill_ups_are_counted():
    # Nobody is led to anybody else: all but starts fill up.
    def alone(embeddings, members, batch_size, generator):
        return members.split(1)

    embeddings = torch.randn(12, 2)
    sampler = ProSampler(
        lambda: embeddings, 12, 4,
        policy=alone, coverage="independent", num_warmup_epochs=0,
    )  # fmt: skip
    assert hardness(sampler, embeddings)["fill_rate"] == pytest.approx(9 / 12)


def test_a_batch_of_one_counts_for_coverage_only():
    embeddings = torch.randn(5, 3)
    report = hardness([[0, 1], [2, 3], [4]], embeddings)
    assert (report["num_batches"], report["num_unique"]) == (3, 5)
    pairs = hardness([[0, 1], [2, 3]], embeddings)
    for key in ("similarity", "similarity_quartiles", "neighbors_found"):
        assert report[key] == pairs[key]


def test_repeats_within_a_batch_are_pairs_but_no_neighbours():
    embeddings = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    report = hardness([[0, 0, 1]], embeddings)
    assert report["similarity"] == pytest.approx(1 / 3)
    assert report["neighbors_found"] == pytest.approx((1 + 0) / 2)
    assert report["num_repeats"] == 1


@pytest.mark.parametrize(
    ("batches", "options", "message"),
    [
        ([[0, 9]], {}, r"between 0 and 3, of .*\(got 0 to 9\)"),
        ([[-1, 2]], {}, r"got -1 to 2"),
        ([[0], [1]], {}, r"at least one batch of 2 graphs or more \(got 2 batches\)"),
        ([], {}, r"got 0 batches"),
        ([[0, 1]], {"batch_size": 2}, "`batch_size` is for a policy"),
        ([[0, 1]], {"epoch": 2}, "`epoch` is for a ProSampler"),
        ([[0, 1]], {"num_neighbors": 0}, "`num_neighbors` should be at least 1"),
        (UniformPolicy(), {}, r"pass batch_size=128"),
        (DataLoader([1, 2, 3, 4], batch_size=None), {}, "does not batch"),
        ([[0, 1]], {"labels": torch.zeros(3)}, "each of the 4 graphs"),
    ],
)
def test_errors(batches, options, message):
    with pytest.raises(ValueError, match=message):
        hardness(batches, torch.randn(4, 2), **options)
