import torch
from hypothesis import given
from hypothesis import strategies as st

from pyg_prosampler.policies.base import cut, deal_clusters, unit_rows


@given(st.integers(0, 50), st.integers(2, 12), st.integers(0, 20))
def test_cut_takes_what_is_left_over_from_anywhere(num, batch_size, seed):
    generator = torch.Generator().manual_seed(seed)
    batches = [b.tolist() for b in cut(torch.arange(num), batch_size, generator)]
    assert sorted(i for batch in batches for i in batch) == list(range(num))
    assert [len(batch) for batch in batches] == [batch_size] * (num // batch_size) + (
        [num % batch_size] if num % batch_size else []
    )
    for batch in batches:  # Consecutive in the order.
        assert batch == list(range(batch[0], batch[0] + len(batch)))


def test_cut_leaves_out_anybody():
    last = set()
    for seed in range(40):
        generator = torch.Generator().manual_seed(seed)
        last.add(list(cut(torch.arange(7), 3, generator))[-1].item())
    assert last == {0, 3, 6}


def test_cut_deals_in_random_order():
    firsts = set()
    for seed in range(40):
        generator = torch.Generator().manual_seed(seed)
        firsts.add(int(next(cut(torch.arange(12), 3, generator))[0]))
    assert firsts == {0, 3, 6, 9}


def test_clusters_stay_whole_where_they_fit():
    clusters = list(torch.arange(22).split(4))  # The last one has 2.
    firsts = set()
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        batches = [b.tolist() for b in deal_clusters(clusters, 8, generator)]
        assert [len(batch) for batch in batches] == [8, 8, 6]
        assert batches[2][4:] == [20, 21]
        for batch in batches[:2]:
            assert batch[:4] in [c.tolist() for c in clusters]
            assert batch[4:] in [c.tolist() for c in clusters]
        firsts.add(batches[0][0])
    assert len(firsts) > 2
    assert list(deal_clusters([], 8, generator)) == []


def test_unit_rows():
    assert unit_rows(torch.tensor([[3.0, 4.0], [0.0, 0.0]])).tolist() == [
        [0.6000000238418579, 0.800000011920929],
        [0.0, 0.0],
    ]
    assert unit_rows(torch.ones(2, 2, dtype=torch.bfloat16)).dtype == torch.float32
    assert unit_rows(torch.ones(2, 2, dtype=torch.float64)).dtype == torch.float64
