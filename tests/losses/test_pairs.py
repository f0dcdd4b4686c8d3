import math

import pytest
import torch

from pyg_prosampler.losses import InfoNCE, info_nce, same_label_mask
from pyg_prosampler.losses.pairs import (
    against_both_views,
    log_sum_exp,
    pair_logits,
    unit_vectors,
)


def test_same_label_mask():
    mask = same_label_mask(torch.tensor([2, 0, 2, 1]))
    assert mask.dtype == torch.bool
    assert mask.nonzero().tolist() == [[0, 0], [0, 2], [1, 1], [2, 0], [2, 2], [3, 3]]
    with pytest.raises(ValueError, match=r"`labels` should be of shape.*\[4, 1\]"):
        same_label_mask(torch.zeros(4, 1))


def test_unit_vectors():
    z1 = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    z2 = torch.tensor([[0.0, -2.0], [1e-30, 0.0]])
    expected = [[0.6, 0.8], [0.0, 0.0], [0.0, -1.0], [0.0, 0.0]]
    torch.testing.assert_close(unit_vectors(z1, z2), torch.tensor(expected))
    half = unit_vectors(z1.half(), z2.bfloat16())
    assert half.dtype == torch.float32
    assert unit_vectors(z1.double(), z2.double()).dtype == torch.float64


def test_unit_vectors_gives_zeros_no_gradient():
    z1 = torch.tensor([[3.0, 4.0], [0.0, 0.0]], requires_grad=True)
    unit_vectors(z1, torch.ones(2, 2))[:2, 1].sum().backward()
    # d(y / |z|) at (3, 4) is (-12, 9) / 125.
    expected = torch.tensor([[-12 / 125, 9 / 125], [0.0, 0.0]])
    torch.testing.assert_close(z1.grad, expected)


def kept_pairs(logits):
    return [row.nonzero().view(-1).tolist() for row in logits.negative > -math.inf]


def test_pair_logits_names_every_pair():
    angles = torch.tensor([0.1, 0.5, 1.1, 1.9, 2.9, 4.1], dtype=torch.float64)
    z = torch.stack([angles.cos(), angles.sin()], dim=1)  # 0 1 2 and their views 3 4 5

    logits = pair_logits(z, None, 0.5, "cross", two_sided=True)
    assert kept_pairs(logits) == [[1, 2], [0, 2], [0, 1]] * 2  # Of the other view.
    wide = against_both_views(logits)
    assert kept_pairs(wide) == [[4, 5], [3, 5], [3, 4], [1, 2], [0, 2], [0, 1]]
    assert logits.num_negatives.tolist() == [2] * 6
    cosines = (angles[:3] - angles[3:]).cos() / 0.5
    torch.testing.assert_close(logits.positive, cosines.repeat(2))
    torch.testing.assert_close(logits.negative[1, 2], (angles[1] - angles[5]).cos() * 2)
    torch.testing.assert_close(logits.negative[5, 1], (angles[5] - angles[1]).cos() * 2)
    torch.testing.assert_close(wide.negative[1, 5], logits.negative[1, 2])
    torch.testing.assert_close(wide.negative[5, 1], logits.negative[5, 1])

    logits = pair_logits(z, None, 0.5, "both", two_sided=False)
    assert kept_pairs(logits) == [[1, 2, 4, 5], [0, 2, 3, 5], [0, 1, 3, 4]]
    torch.testing.assert_close(logits.positive, cosines)

    mask = torch.zeros(3, 3, dtype=torch.bool)
    mask[0, 2] = mask[1, 0] = mask[1, 2] = True
    logits = pair_logits(z, mask, 0.5, "cross", two_sided=True)
    assert kept_pairs(logits) == [[1], [], [0, 1]] * 2
    assert kept_pairs(against_both_views(logits)) == [[4], [], [3, 4], [1], [], [0, 1]]
    assert logits.num_negatives.tolist() == [1, 0, 2, 1, 0, 2]
    logits = pair_logits(z, mask, 0.5, "both", two_sided=True)
    assert kept_pairs(logits) == [[1, 4], [], [0, 1, 3, 4]] * 2
    assert against_both_views(logits).negative is logits.negative


def test_labels_leave_only_other_classes():
    labels = torch.tensor([0, 1, 0])
    logits = pair_logits(
        unit_vectors(torch.eye(3), torch.eye(3)),
        same_label_mask(labels),
        1.0,
        "both",
        two_sided=True,
    )
    assert kept_pairs(logits) == [[1, 4], [0, 2, 3, 5], [1, 4]] * 2


def test_log_sum_exp_of_nothing_has_a_finite_gradient():
    x = torch.tensor([[-math.inf, -math.inf], [0.0, -math.inf]], requires_grad=True)
    out = log_sum_exp(x)
    assert out[1] == 0
    out.sum().backward()
    assert x.grad.tolist() == [[0, 0], [1, 0]]


Z = torch.ones(3, 2)


@pytest.mark.parametrize(
    ("z1", "z2", "options", "message"),
    [
        (Z, torch.ones(3, 4), {}, r"`z1` and `z2`.*\[3, 2\] and \[3, 4\]"),
        (Z, torch.ones(4, 2), {}, r"`z1` and `z2`.*\[3, 2\] and \[4, 2\]"),
        (Z[0], Z[0], {}, r"`z1` and `z2`.*\[2\] and \[2\]"),
        (Z.long(), Z.long(), {}, r"floating-point.*torch.int64"),
        (Z[:1], Z[:1], {}, r"at least 2 graphs \(got 1\).*drop_last=True"),
        (Z[:0], Z[:0], {}, r"at least 2 graphs \(got 0\)"),
        (Z, Z, {"temperature": 0.0}, r"`temperature`.*\(got 0.0\)"),
        (Z, Z, {"temperature": -1.0}, r"`temperature`.*\(got -1.0\)"),
        (Z, Z, {"temperature": math.nan}, r"`temperature`.*\(got nan\)"),
        (Z, Z, {"negatives": "all"}, r'`negatives` should be "cross" or "both".*all'),
        (Z, Z, {"mask": torch.ones(3, 3)}, r"`mask`.*\(got torch.float32, \[3, 3\]\)"),
        (Z, Z, {"mask": torch.ones(3, 2).bool()}, r"`mask`.*torch.bool, \[3, 2\]"),
    ],
)
def test_wrong_arguments(z1, z2, options, message):
    with pytest.raises(ValueError, match=message):
        info_nce(z1, z2, **options)


@pytest.mark.parametrize("options", [{"temperature": 0.0}, {"negatives": "none"}])
def test_wrong_options_are_found_at_construction(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        InfoNCE(**options)
