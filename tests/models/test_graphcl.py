import torch
from torch_geometric.data import Batch

from pyg_prosampler import GINEncoder, GraphCL, InfoNCE


class Shift:
    def __init__(self, amount):
        self.amount = amount

    def __call__(self, batch):
        out = batch.clone()
        out.x = out.x + self.amount
        return out


def test_contrasts_projections_of_both_views(graphs):
    encoder = GINEncoder(3, 4, 2).eval()
    model = GraphCL(encoder, augmentations=(Shift(1.0), Shift(2.0)))
    batch = Batch.from_data_list(graphs)
    h1, h2 = encoder(Shift(1.0)(batch)), encoder(Shift(2.0)(batch))
    z1, z2 = model(batch)
    first, _, second = model.projection_head
    for z, h in ((z1, h1), (z2, h2)):
        hidden = (h @ first.weight.t() + first.bias).clamp(min=0)
        assert torch.allclose(z, hidden @ second.weight.t() + second.bias, atol=1e-5)
    loss, embeddings = model.contrast(batch, InfoNCE())
    assert torch.allclose(loss, InfoNCE()(z1, z2))
    assert torch.allclose(embeddings, h1)
    assert not embeddings.requires_grad
    assert torch.equal(model.embed(batch), encoder(batch))
    shifted = Shift(1.0)(batch)
    assert torch.allclose(model.project(shifted), z1)
    shifting = GraphCL(encoder, augmentations=model.augmentations, transform=Shift(2.0))
    assert torch.equal(shifting.embed(batch), h2)
    assert torch.allclose(shifting.contrast(batch, InfoNCE())[1], h1)


def test_default_views_differ_and_leave_the_batch(graphs):
    model = GraphCL(GINEncoder(3, 4, 2))
    batch = Batch.from_data_list(graphs)
    before = batch.clone()
    z1, z2 = model(batch)
    assert not torch.allclose(z1, z2)
    for name, value in before.to_dict().items():
        assert torch.equal(batch[name], value)


def test_learns(graphs):
    # The loss of in-batch contrast falls from that of guessing.
    model, objective = GraphCL(GINEncoder(3, 8, 2)), InfoNCE()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    batch = Batch.from_data_list(graphs)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss, _ = model.contrast(batch, objective)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert all(p.grad is not None for p in model.parameters())
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
