import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from pyg_prosampler import candidates
from pyg_prosampler.candidates import draw_candidates, nearest, numpy_generator

WAYS = {"one by one": 1, "coins": 100}  # Where sparse begins.


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    monkeypatch.setattr(candidates, "_SPARSE", WAYS[request.param])


def rng(seed=0):
    return numpy_generator(torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("num_nodes", "num_candidates"), [(6, 2), (6, 4), (40, 7), (300, 60), (300, 200)]
)
def test_distinct_and_uniform(way, num_nodes, num_candidates):
    own = num_nodes // 2
    drawn = draw_candidates(np.full(4000, own), num_nodes, num_candidates, rng())
    assert drawn.shape == (4000, num_candidates)
    assert (np.diff(drawn, axis=1) > 0).all()
    counts = np.bincount(drawn.ravel(), minlength=num_nodes)
    assert counts[own] == 0
    # Draws without replacement vary less than a multinomial law says.
    share = num_candidates / (num_nodes - 1)
    others = np.delete(counts, own)
    deviation = np.sqrt(4000 * share * (1 - share))
    assert abs(others / deviation - 4000 * share / deviation).max() < 4.5


@pytest.mark.parametrize(("num_nodes", "num_candidates"), [(5, 2), (6, 4), (8, 3)])
def test_every_set_is_equally_likely(way, num_nodes, num_candidates):
    drawn = draw_candidates(np.zeros(20000, int), num_nodes, num_candidates, rng())
    codes = (drawn * 10 ** np.arange(num_candidates)).sum(axis=1)
    _, counts = np.unique(codes, return_counts=True)
    assert len(counts) == math.comb(num_nodes - 1, num_candidates)
    assert chisquare(counts).pvalue > 1e-3


def test_pairs_are_as_likely_as_they_should_be(way):
    # In sets too many to count: how often two are in together.
    drawn = draw_candidates(np.zeros(4000, int), 201, 80, rng())
    member = np.zeros((4000, 201))
    np.put_along_axis(member, drawn, 1, axis=1)
    together = (member.T @ member)[1:, 1:][np.triu_indices(200, k=1)] / 4000
    expected = 80 * 79 / (200 * 199)
    deviation = np.sqrt(expected * (1 - expected) / 4000)
    assert together.mean() == pytest.approx(expected)
    assert together.std() == pytest.approx(deviation, rel=0.05)


def test_the_generator_moves_on():
    generator = torch.Generator().manual_seed(0)
    first, second = (numpy_generator(generator).random() for _ in range(2))
    assert first != second
    assert first == rng().random()


@given(
    st.integers(1, 6),
    st.integers(1, 300),
    st.sampled_from(["random", "ties", "equal", "sorted"]),
    st.data(),
)
def test_nearest_equals_a_stable_sort(num_rows, num_columns, kind, data):
    num = data.draw(st.integers(1, num_columns))
    generator = torch.Generator().manual_seed(num_rows * num_columns)
    scores = torch.rand(num_rows, num_columns, generator=generator) * 2 - 1
    if kind == "ties":
        scores = (scores * 4).round() / 4 + 0.0  # No minus zero.
    elif kind == "equal":
        scores = scores[:, :1].repeat(1, num_columns)
    elif kind == "sorted":  # The sample misses the largest of all.
        scores = scores.sort(dim=1).values
        scores[:, ::8] -= 3
    values, columns = nearest(scores, num)
    order = scores.argsort(dim=1, descending=True, stable=True)[:, :num]
    assert torch.equal(columns, order)
    assert torch.equal(values, scores.gather(1, order))


def test_nearest_in_float64():
    scores = torch.rand(5, 200, dtype=torch.float64)
    for found, expected in zip(nearest(scores, 20), scores.topk(20), strict=True):
        assert torch.equal(found, expected)
