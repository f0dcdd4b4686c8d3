import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pyg_prosampler.hardness import (
    effective_rank,
    false_negative_rate,
    mean_similarity,
    spread,
    uniform_floor,
)
from tests.reference_hardness import participation_ratio
from tests.reference_sampling import mean_pair_similarity


@given(st.integers(2, 20), st.integers(0, 1000))
def test_similarity_equals_reference(num_rows, seed):
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(num_rows, 3, generator=generator)
    expected = mean_pair_similarity(embeddings)
    assert mean_similarity(embeddings) == pytest.approx(expected, abs=1e-6)
    assert spread(embeddings) == pytest.approx(1 - expected, abs=1e-6)


def test_zero_and_equal_embeddings():
    assert mean_similarity(torch.zeros(4, 2)) == 0.0
    assert mean_similarity(torch.ones(4, 2)) == pytest.approx(1.0)
    assert spread(torch.ones(4, 2)) == pytest.approx(0.0)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=20))
def test_false_negative_rate_equals_reference(labels):
    num_rows = len(labels)
    same = sum(
        labels[i] == labels[j]
        for i in range(num_rows)
        for j in range(num_rows)
        if i != j
    )
    assert false_negative_rate(torch.tensor(labels)) == pytest.approx(
        same / (num_rows * (num_rows - 1))
    )


def test_uniform_floor():
    # MUTAG's classes.
    labels = torch.tensor([0] * 63 + [1] * 125)
    assert uniform_floor(labels) == pytest.approx(0.5544, abs=1e-4)


def test_one_graph_has_no_pairs():
    with pytest.raises(ValueError, match=r"at least 2 graphs .*\(got 1\)"):
        mean_similarity(torch.ones(1, 2))
    with pytest.raises(ValueError, match="at least 2 graphs"):
        false_negative_rate(torch.tensor([1]))


@given(st.integers(3, 12), st.integers(1, 12), st.integers(0, 1000))
def test_effective_rank_equals_reference(num_rows, width, seed):
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(num_rows, width, generator=generator) + 0.1
    expected = participation_ratio(embeddings)
    if width > 1:  # Signs are all there is in one dimension, and may be the same.
        assert effective_rank(embeddings) == pytest.approx(expected, rel=1e-3)


@given(st.integers(1, 5), st.integers(0, 1000))
def test_effective_rank_counts_directions(num_directions, seed):
    # Plus and minus along orthogonal axes, as often each, all vary the same.
    generator = torch.Generator().manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(8, 8, generator=generator))[0]
    axes = basis[:num_directions]
    rows = torch.cat([axes, -axes, 3 * axes])
    rows = torch.cat([rows, -3 * axes])
    assert effective_rank(rows) == pytest.approx(num_directions, rel=1e-4)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_effective_rank_of_one_point(value):
    assert effective_rank(torch.full((20, 7), value)) == 0.0


def test_effective_rank_does_not_depend_on_scale_or_row_order():
    rows = torch.randn(30, 5)
    expected = effective_rank(rows)
    assert effective_rank(7.5 * rows[torch.randperm(30)]) == pytest.approx(expected)
