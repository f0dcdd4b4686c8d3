import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pyg_prosampler.hardness import (
    false_negative_rate,
    mean_similarity,
    uniform_floor,
)
from tests.reference_sampling import mean_pair_similarity


@given(st.integers(2, 20), st.integers(0, 1000))
def test_mean_similarity_equals_reference(num_rows, seed):
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(num_rows, 3, generator=generator)
    assert mean_similarity(embeddings) == pytest.approx(
        mean_pair_similarity(embeddings), abs=1e-6
    )


def test_zero_and_equal_embeddings():
    assert mean_similarity(torch.zeros(4, 2)) == 0.0
    assert mean_similarity(torch.ones(4, 2)) == pytest.approx(1.0)


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
