import math

import pytest
import torch

from pyg_prosampler.losses import JSD, jsd
from tests.reference_losses import reference_jsd

# Sorted batches are the rule, but nothing depends on it; graph 2 has no nodes.
BATCH = torch.tensor([0, 0, 1, 3, 3, 3, 1])


def vectors(dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    nodes = torch.randn(2, 7, 5, generator=generator, dtype=dtype)
    graphs = torch.randn(2, 4, 5, generator=generator, dtype=dtype)
    return [*nodes, *graphs]


def false_negatives():
    mask = torch.zeros(4, 4, dtype=torch.bool)
    mask[0, 1] = mask[3, 0] = mask[3, 2] = True
    return mask


@pytest.mark.parametrize("mask", [None, false_negatives()])
def test_against_plain_loops(mask):
    loss = jsd(*vectors(), BATCH, mask)
    assert loss.item() == pytest.approx(reference_jsd(*vectors(), BATCH, mask))
    torch.testing.assert_close(JSD()(*vectors(), BATCH, mask), loss)


@pytest.mark.parametrize("mask", [None, false_negatives()])
def test_gradients(mask):
    inputs = [x.requires_grad_() for x in vectors()]
    assert torch.autograd.gradcheck(lambda *x: jsd(*x, BATCH, mask), inputs)


def test_three_graphs_by_hand():
    # Scores of the nodes of graphs 0, 0, 1, 2 against the three graphs:
    #     (l, 0, -l), (0, 0, 0), (0, 0, 0), (-l, 0, l)    with l = ln 3
    # softplus of -l, 0, l is ln(4/3), ln 2, ln 4.
    # E_pos = ln 2 - (2 ln(4/3) + 2 ln 2) / 4             = 1/2 ln(3/2)
    # E_neg = (2 ln(4/3) + 6 ln 2) / 8 - ln 2             = -1/4 ln(3/2)
    # The converse direction has scores of zero and adds nothing.
    node1 = math.log(3) * torch.tensor([[1.0], [0.0], [0.0], [-1.0]])
    graph2 = torch.tensor([[1.0], [0.0], [-1.0]])
    node2, graph1 = torch.zeros(4, 1), torch.zeros(3, 1)
    batch = torch.tensor([0, 0, 1, 2])
    loss = jsd(node1, node2, graph1, graph2, batch)
    assert loss.item() == pytest.approx(-3 / 4 * math.log(3 / 2))
    loss = jsd(node2, node1, graph2, graph1, batch)
    assert loss.item() == pytest.approx(-3 / 4 * math.log(3 / 2))


def test_order_of_nodes_and_graphs_does_not_matter():
    node1, node2, graph1, graph2 = vectors()
    mask = false_negatives()
    nodes, graphs = torch.randperm(7), torch.randperm(4)
    loss = jsd(
        node1[nodes],
        node2[nodes],
        graph1[graphs],
        graph2[graphs],
        graphs.argsort()[BATCH[nodes]],
        mask[graphs][:, graphs],
    )
    torch.testing.assert_close(loss, jsd(*vectors(), BATCH, mask))


def test_graph_graph_form():
    _, _, z1, z2 = vectors()
    score = z1 @ z2.t()
    own = torch.eye(4, dtype=torch.bool)
    log_sigmoid = torch.nn.functional.logsigmoid
    expected = -2 * (log_sigmoid(score)[own].mean() + log_sigmoid(-score)[~own].mean())
    loss = jsd(z1, z2, z1, z2, torch.arange(4))
    torch.testing.assert_close(loss, expected - 4 * math.log(2))


def test_no_negative_left():
    inputs = [x.requires_grad_() for x in vectors()]
    mask = torch.ones(4, 4, dtype=torch.bool)
    with torch.autograd.set_detect_anomaly(True):
        loss = jsd(*inputs, BATCH, mask)
        gradients = torch.autograd.grad(loss, inputs)
    expected = reference_jsd(*vectors(), BATCH, mask)
    assert loss.item() == pytest.approx(expected)
    for gradient in gradients:
        assert gradient.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    # Scores of up to 1e6 overflow float16 and leave nothing of bfloat16.
    inputs = [(300 * x).to(dtype).requires_grad_() for x in vectors()]
    with torch.autocast("cpu", dtype=dtype):
        loss = jsd(*inputs, BATCH)
    assert loss.dtype == torch.float32
    expected = reference_jsd(*[x.double() for x in inputs], BATCH)
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    for gradient in torch.autograd.grad(loss, inputs):
        assert gradient.isfinite().all()


def test_autocast_changes_nothing():
    inputs = vectors(torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = jsd(*inputs, BATCH)
    assert loss == jsd(*inputs, BATCH)


H, G = torch.zeros(7, 5), torch.zeros(4, 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((H, H[:6], G, G, BATCH), r"`node1` and `node2`.*\[7, 5\] and \[6, 5\]"),
        ((H, H, G, G[0], BATCH), r"`graph1` and `graph2`.*\[4, 5\] and \[5\]"),
        ((H, H, G[:, :3], G[:, :3], BATCH), r"same size \(got 5 and 3\)"),
        ((H, H, G, G, BATCH[:6]), r"`batch`.*\[7\] \(got torch.int64, \[6\]\)"),
        ((H, H, G, G, BATCH.float()), r"`batch`.*torch.float32"),
        ((H[:0], H[:0], G, G, BATCH[:0]), r"at least one node"),
        ((H, H, G[:1], G[:1], 0 * BATCH), r"at least 2 graphs \(got 1\).*drop_last"),
        ((H, H, G, G, BATCH, torch.ones(4, 4)), r"`mask`.*torch.float32"),
        ((H, H, G, G, BATCH, torch.ones(7, 4).bool()), r"`mask`.*\[7, 4\]"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        jsd(*arguments)
