import math

import pytest
import torch

from pyg_prosampler.losses import info_nce, unremix
from tests.losses.test_functional import (
    FORMS,
    LN2,
    ONE_SIDED,
    THREE_1,
    THREE_2,
    form_id,
    some_mask,
    views,
)
from tests.reference_losses import (
    all_pairs,
    reference_unremix,
    reference_unremix_weights,
)

THIRDS = (1 / 3, 1 / 3, 1 / 3)


@pytest.mark.parametrize("form", FORMS, ids=form_id)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("weights", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.5, 0.3, 0.2)])
def test_against_plain_loops(form, masked, weights):
    z1, z2 = views(6, 4)
    z1[3] = 0.0  # at distance 1 from all others, itself included
    mask = some_mask(6) if masked else None
    options = {**form, "temperature": 0.3, "weights": weights}
    loss = unremix(z1, z2, mask, **options)
    expected = reference_unremix(z1, z2, mask, **options)
    assert loss.item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("negatives", ["cross", "both"])
def test_no_gradient_through_the_weights(negatives):
    z1, z2 = (z.requires_grad_() for z in views(5, 3))
    weight = reference_unremix_weights(z1, z2, None, 0.4, THIRDS, negatives)

    z = torch.nn.functional.normalize(torch.cat([z1, z2]), dim=1)
    expected = 0.0
    for (v, i), (w, _), others in all_pairs(z1, z2, None, negatives, True)[1]:
        anchor, positive = z[v * 5 + i], (z[v * 5 + i] @ z[w * 5 + i] / 0.4).exp()
        shares = [weight[(v, i), k] for k in others]
        weighted = sum(
            share * (anchor @ z[u * 5 + j] / 0.4).exp()
            for share, (u, j) in zip(shares, others, strict=True)
        )
        total = len(others) * weighted / sum(shares)
        expected = expected - torch.log(positive / (positive + total)) / 10

    loss = unremix(z1, z2, temperature=0.4, weights=THIRDS, negatives=negatives)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(
        torch.autograd.grad(loss, (z1, z2)), torch.autograd.grad(expected, (z1, z2))
    )


@pytest.mark.parametrize("form", FORMS, ids=form_id)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_weights_give_info_nce(form, dtype):
    # Corners of a regular simplex, turned: every pair of graphs is alike up to
    # rounding, so no score tells them apart.
    corners = torch.eye(5, dtype=dtype) - 0.2
    turn, _ = torch.linalg.qr(views(5, 5, dtype=dtype)[0])
    z = corners @ turn
    expected = info_nce(z, z, temperature=0.5, **form)
    torch.testing.assert_close(unremix(z, z, temperature=0.5, **form), expected)


def test_one_negative_gives_info_nce():
    z1, z2 = views(2, 3)
    loss = unremix(z1, z2, temperature=0.3)
    torch.testing.assert_close(loss, info_nce(z1, z2, temperature=0.3))


def test_three_graphs_by_hand():
    # Similarity alone, see the table in test_functional.py. The anchors'
    # negatives, as powers of two, are (2, 1), (1, 2) and (1/2, 1/2); scaled to
    # [0, 1] the similarities are (1, 0), (0, 1) and, all alike, (1, 1), so that
    # G is 2 * 2, 2 * 2 and 2 * 1/2. positive / (positive + G): 2/6, 1/5, 1/2
    form = {**LN2, **ONE_SIDED}
    loss = unremix(THREE_1, THREE_2, weights=(1, 0, 0), **form)
    assert loss.item() == pytest.approx(math.log(30) / 3)
    # Of two negatives each is as far from the other: InfoNCE.
    loss = unremix(THREE_1, THREE_2, weights=(0, 0, 1), **form)
    assert loss.item() == pytest.approx(math.log(20) / 3)


@pytest.mark.parametrize(
    "weights", [(1.0, 0.5, 0.0), (1.5, -0.5, 0.0), (0.5, 0.5), (math.nan, 0.5, 0.5)]
)
def test_wrong_weights(weights):
    with pytest.raises(ValueError, match="`weights` should be three non-negative"):
        unremix(*views(3, 2), weights=weights)
