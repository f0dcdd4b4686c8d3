import torch

from pyg_prosampler.policies import UniformPolicy


def test_covers_all_members_once():
    members = torch.tensor([True] * 7 + [False] * 3)
    policy = UniformPolicy()
    generator = torch.Generator().manual_seed(0)
    batches = list(policy.batches(None, members, members, 3, 0, generator))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert torch.cat(batches).sort()[0].tolist() == list(range(7))
