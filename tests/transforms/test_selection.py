from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.utils import cumsum

from pyg_prosampler.transforms.selection import (
    check_share,
    distinct_numbers,
    integers_below,
    rand,
    sample_per_graph,
    share_of,
    smallest_per_graph,
)
from tests.reference_transforms import share
from tests.transforms.graphs import assert_law


@given(st.integers(0, 1000), st.integers(0, 5000))
def test_shares_are_those_of_the_decimal(thousandths, size):
    p = thousandths / 1000
    sizes = torch.tensor([size])
    assert int(share_of(p, sizes)) == share(p, size)
    assert int(share_of(p, sizes, round_up=True)) == -share(-p, size)


def test_shares_that_floats_get_wrong():
    assert int(share_of(0.29, torch.tensor(100))) == 29  # int(0.29 * 100) == 28
    assert int(share_of(0.55, torch.tensor(100), round_up=True)) == 55
    assert int(share_of(1 / 3, torch.tensor(3))) == 1
    assert int(share_of(0.7, torch.tensor(10**9 + 7))) == 700_000_004


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_bad_share(value):
    with pytest.raises(ValueError, match=r"`p` should lie in \[0, 1\] \(got"):
        check_share("p", value)


def test_zero_share():
    assert check_share("p", 0.0) == 0.0
    with pytest.raises(ValueError, match=r"`ratio` should lie in \(0, 1\]"):
        check_share("ratio", 0.0, positive=True)


@given(st.lists(st.integers(0, 200), min_size=1, max_size=5), st.integers(0, 10**6))
def test_sample_is_the_smallest_keys(sizes, seed):
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.tensor(sizes)
    graph = torch.arange(len(sizes)).repeat_interleave(sizes)
    graph = graph[torch.randperm(len(graph), generator=generator)]
    count = integers_below(sizes + 1, generator)
    key = rand(len(graph), graph, generator.clone_state())
    index = sample_per_graph(graph, count, generator)
    # The keys that are not sorted make no difference.
    assert torch.equal(index, smallest_per_graph(key, graph, count))
    expected = []
    for g, k in enumerate(count.tolist()):
        own = sorted((float(key[i]), i) for i in range(len(graph)) if graph[i] == g)
        expected += [i for _, i in own[:k]]
    assert index.tolist() == expected


def test_sample_when_too_few_keys_are_low(monkeypatch):
    high = torch.linspace(0.9, 1, 1000)
    monkeypatch.setattr("pyg_prosampler.transforms.selection.rand", lambda *args: high)
    graph = torch.zeros(1000, dtype=torch.long)
    index = sample_per_graph(graph, torch.tensor([10]), None)
    assert index.tolist() == list(range(10))


def test_sample_is_uniform_over_sets():
    generator = torch.Generator().manual_seed(0)
    graph = torch.arange(4000).repeat_interleave(5)
    index = sample_per_graph(graph, torch.full((4000,), 2), generator)
    index = index.view(4000, 2) - 5 * torch.arange(4000)[:, None]
    sets = [frozenset(pair) for pair in index.tolist()]
    assert_law(sets, {frozenset(c): 0.1 for c in combinations(range(5), 2)})


def test_sample_of_a_large_graph_is_uniform():
    generator = torch.Generator().manual_seed(0)
    graph = torch.zeros(1000, dtype=torch.long)
    draws = [sample_per_graph(graph, torch.tensor([50]), generator) for _ in range(400)]
    hundreds = [int(i) // 100 for i in torch.cat(draws)]
    assert_law(hundreds, dict.fromkeys(range(10), 0.1))


@given(st.lists(st.integers(0, 60), min_size=1, max_size=6), st.data())
def test_distinct_numbers(population, data):
    count = [data.draw(st.integers(0, size)) for size in population]
    number, graph = distinct_numbers(
        torch.tensor(population),
        torch.tensor(count),
        torch.Generator().manual_seed(sum(population)),
    )
    assert graph.tolist() == [g for g, k in enumerate(count) for _ in range(k)]
    for g, own in enumerate(number.split(count)):
        assert own.unique().numel() == count[g]
        assert all(0 <= value < population[g] for value in own.tolist())


@pytest.mark.parametrize("size", [2, 3])  # Few of many, many of few.
def test_distinct_numbers_are_uniform(size):
    generator = torch.Generator().manual_seed(0)
    number, _ = distinct_numbers(
        torch.full((4000,), 5), torch.full((4000,), size), generator
    )
    sets = [frozenset(own) for own in number.view(4000, size).tolist()]
    assert_law(sets, {frozenset(c): 0.1 for c in combinations(range(5), size)})


def test_a_full_draw_takes_no_trials(monkeypatch):
    rounds = []

    def counted(bound, generator):
        rounds.append(bound.numel())
        return integers_below(bound, generator)

    monkeypatch.setattr("pyg_prosampler.transforms.selection.integers_below", counted)
    number, _ = distinct_numbers(torch.tensor([2000]), torch.tensor([2000]), None)
    assert number.unique().numel() == 2000
    assert sum(rounds) == 0
    number, _ = distinct_numbers(torch.tensor([2000]), torch.tensor([1000]), None)
    assert number.unique().numel() == 1000
    assert sum(rounds) < 2000


def test_distinct_numbers_come_in_random_order():
    generator = torch.Generator().manual_seed(0)
    for population in (3, 10):
        number, _ = distinct_numbers(
            torch.full((2000,), population), torch.full((2000,), 2), generator
        )
        first, second = number.view(2000, 2).unbind(1)
        assert_law((first < second).tolist(), {True: 0.5, False: 0.5})


def test_nothing_to_draw():
    empty = torch.empty(0, dtype=torch.long)
    assert sample_per_graph(empty, torch.tensor([0, 0]), None).numel() == 0
    number, _ = distinct_numbers(torch.tensor([0, 9]), torch.tensor([0, 0]), None)
    assert number.numel() == 0
    assert torch.equal(cumsum(empty), torch.tensor([0]))
