import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from pyg_prosampler import candidates
from pyg_prosampler.candidates import (
    draw_candidates,
    draw_mask,
    nearest,
    numpy_generator,
)

WAYS = {"one by one": 1, "coins": 100}  # Where sparse begins.


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    monkeypatch.setattr(candidates, "_SPARSE", WAYS[request.param])


def rng(seed=0):
    return numpy_generator(torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("num_nodes", "num_candidates"),
    [(6, 2), (6, 4), (40, 7), (300, 60), (300, 200), (300, 290)],
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


@pytest.mark.parametrize(
    ("num_nodes", "num_candidates"), [(5, 2), (6, 4), (8, 3), (8, 6)]
)
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


@given(st.integers(2, 60), st.data())
def test_masks_leave_out_the_own_node(num_nodes, data):
    num_candidates = data.draw(st.integers(1, num_nodes - 1))
    begin = data.draw(st.integers(0, num_nodes - 1))
    rows = np.arange(begin, num_nodes)
    mask = draw_mask(rows, num_nodes, num_candidates, rng())
    assert mask.shape == (rows.size, num_nodes)
    assert (mask.sum(axis=1) == num_candidates).all()
    assert not mask[np.arange(rows.size), rows].any()


def test_the_generator_moves_on():
    generator = torch.Generator().manual_seed(0)
    first, second = (numpy_generator(generator).random() for _ in range(2))
    assert first != second
    assert first == rng().random()


KINDS = ["random", "ties", "equal", "sorted"]


def random_scores(num_rows, num_columns, kind, dtype=torch.float32):
    generator = torch.Generator().manual_seed(num_rows * num_columns)
    scores = torch.rand(num_rows, num_columns, generator=generator, dtype=dtype) * 2 - 1
    if kind == "ties":
        scores = (scores * 4).round() / 4 + 0.0  # No minus zero.
    elif kind == "equal":
        scores = scores[:, :1].repeat(1, num_columns)
    elif kind == "sorted":  # The sample misses the largest of all.
        scores = scores.sort(dim=1).values
        scores[:, ::8] -= 3
    return scores


@given(st.integers(1, 6), st.integers(1, 300), st.sampled_from(KINDS), st.data())
def test_nearest_equals_a_stable_sort(num_rows, num_columns, kind, data):
    num = data.draw(st.integers(1, num_columns))
    scores = random_scores(num_rows, num_columns, kind)
    values, columns = nearest(scores, num)
    order = scores.argsort(dim=1, descending=True, stable=True)[:, :num]
    assert torch.equal(columns, order)
    assert torch.equal(values, scores.gather(1, order))


@given(st.integers(1, 6), st.integers(2, 300), st.sampled_from(KINDS), st.data())
def test_nearest_among_some_columns(num_rows, num_columns, kind, data):
    num_candidates = data.draw(st.integers(1, num_columns - 1))
    num = data.draw(st.integers(1, num_candidates))
    rows = np.arange(num_columns)[:num_rows]
    mask = draw_mask(rows, num_columns, num_candidates, rng())
    scores = random_scores(rows.size, num_columns, kind)
    values, columns = nearest(scores, num, mask)
    masked = scores.masked_fill(torch.from_numpy(~mask), -torch.inf)
    order = masked.argsort(dim=1, descending=True, stable=True)[:, :num]
    assert torch.equal(columns, order)
    assert torch.equal(values, scores.gather(1, order))


@pytest.mark.parametrize("num_candidates", [20, 100, 199])
def test_nearest_in_float64(num_candidates):
    scores = random_scores(5, 200, "random", torch.float64)
    mask = draw_mask(np.arange(5), 200, num_candidates, rng())
    is_out = torch.from_numpy(~mask)
    for some, expected in ((None, scores), (mask, scores.masked_fill(is_out, -3))):
        for found, wanted in zip(
            nearest(scores, 20, some), expected.topk(20), strict=True
        ):
            assert torch.equal(found, wanted)
