import torch

from pyg_prosampler.dealing import spread_evenly


def test_every_batch_is_dealt_equally_often_at_every_place():
    orders = {
        tuple(spread_evenly(7, torch.Generator().manual_seed(seed)).tolist())
        for seed in range(100)
    }
    assert len(orders) == 7
    for place in range(7):
        assert sorted(order[place] for order in orders) == list(range(7))
