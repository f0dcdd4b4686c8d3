import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from pyg_prosampler.losses import debiased_info_nce, hard_info_nce, info_nce
from tests.reference_losses import (
    reference_debiased_info_nce,
    reference_hard_info_nce,
    reference_info_nce,
)

FORMS = [
    {"negatives": n, "positive_in_denominator": p, "two_sided": t}
    for n, p, t in itertools.product(("cross", "both"), (True, False), (True, False))
]
ONE_SIDED = {"negatives": "cross", "two_sided": False}


def form_id(form):
    return "-".join(str(value) for value in form.values())


def views(size, channels, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(2, size, channels, generator=generator, dtype=dtype)
    return z[0], z[1] + 0.5 * z[0]


def some_mask(size, seed=0):
    r"""A mask that is not symmetric, and leaves nothing to the second graph."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(size, size, generator=generator) < 0.3
    mask[1] = True
    return mask


def close(loss, expected):
    assert loss.dim() == 0
    assert loss.item() == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("form", FORMS, ids=form_id)
@pytest.mark.parametrize("masked", [False, True])
def test_against_plain_loops(form, masked):
    z1, z2 = views(6, 4)
    mask = some_mask(6) if masked else None
    form = {**form, "temperature": 0.3}
    close(info_nce(z1, z2, mask, **form), reference_info_nce(z1, z2, mask, **form))

    for tau in (0.0, 0.1, 0.6):
        form["tau"] = tau
        close(
            debiased_info_nce(z1, z2, mask, **form),
            reference_debiased_info_nce(z1, z2, mask, **form),
        )
        for beta in (0.0, 0.5, 2.0):
            close(
                hard_info_nce(z1, z2, mask, beta=beta, **form),
                reference_hard_info_nce(z1, z2, mask, beta=beta, **form),
            )


@given(
    size=st.integers(2, 6),
    channels=st.integers(1, 4),
    temperature=st.floats(0.2, 5.0),
    tau=st.floats(0.0, 0.9),
    beta=st.floats(0.0, 3.0),
    form=st.sampled_from(FORMS),
    seed=st.integers(0, 1000),
)
def test_any_size_and_option(size, channels, temperature, tau, beta, form, seed):
    z1, z2 = views(size, channels, seed)
    options = {"temperature": temperature, "tau": tau, "beta": beta, **form}
    loss = hard_info_nce(z1, z2, **options).item()
    expected = reference_hard_info_nce(z1, z2, None, **options)
    # At tau = 0 and cosines of -1 a rounding error decides about the floor.
    assert loss == pytest.approx(expected, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("form", FORMS, ids=form_id)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    ("objective", "options"),
    [
        (info_nce, {}),
        (debiased_info_nce, {"tau": 0.1}),
        (debiased_info_nce, {"tau": 0.6}),
        (hard_info_nce, {"tau": 0.1, "beta": 1.0}),
        (hard_info_nce, {"tau": 0.0, "beta": 0.0}),
    ],
)
def test_gradients(objective, options, form, masked):
    mask = some_mask(4) if masked else None
    inputs = [z.requires_grad_() for z in views(4, 3)]

    def loss(z1, z2):
        return objective(z1, z2, mask, temperature=0.4, **options, **form)

    assert torch.autograd.gradcheck(loss, inputs)


@pytest.mark.parametrize("form", FORMS, ids=form_id)
def test_limits(form):
    z1, z2 = views(7, 5)
    form = {**form, "temperature": 0.25}
    loss = debiased_info_nce(z1, z2, tau=0.2, **form)
    torch.testing.assert_close(hard_info_nce(z1, z2, tau=0.2, beta=0.0, **form), loss)
    loss = info_nce(z1, z2, **form)
    torch.testing.assert_close(debiased_info_nce(z1, z2, tau=0.0, **form), loss)
    torch.testing.assert_close(hard_info_nce(z1, z2, tau=0.0, beta=0.0, **form), loss)


# Three graphs worked out by hand. With T = 1 / ln 2, exp(cosine / T) is
# 2^cosine: 2, 1 or 1/2. Between anchors (rows) and other view (columns):
#
#             z2_1   z2_2   z2_3
#     z1_1     2      2      1
#     z1_2     1      1      2
#     z1_3    1/2    1/2     1
THREE_1 = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
THREE_2 = torch.tensor([[3.0, 0.0], [2.0, 0.0], [0.0, 5.0]])  # lengths do not count
LN2 = {"temperature": 1 / math.log(2)}


def test_info_nce_by_hand():
    # positive / (positive + negatives): 2/(2+3), 1/(1+3), 1/(1+1); product 1/20
    loss = info_nce(THREE_1, THREE_2, **LN2, **ONE_SIDED)
    assert loss.item() == pytest.approx(math.log(20) / 3)
    # without the positive: 2/3, 1/3, 1/1; product 2/9
    loss = info_nce(THREE_1, THREE_2, **LN2, **ONE_SIDED, positive_in_denominator=False)
    assert loss.item() == pytest.approx(math.log(9 / 2) / 3)
    # columns as anchors: 2/(2+3/2), 1/(1+5/2), 1/(1+3); product 2/49
    loss = info_nce(THREE_1, THREE_2, **LN2)
    assert loss.item() == pytest.approx(math.log(20 * 49 / 2) / 6)
    # both views: z1_1, z1_2, z1_3 among each other have 2^0, 2^0 and 2^-1, so
    # the negatives of the rows grow to 3+3/2, 3+2, 1+3/2; product 8/273
    loss = info_nce(THREE_1, THREE_2, **LN2, negatives="both", two_sided=False)
    assert loss.item() == pytest.approx(math.log(13 / 4 * 6 * 7 / 2) / 3)


def test_debiased_info_nce_by_hand():
    # tau = 1/4, N = 2, floor 2 * 1/2 = 1, G = max((sum - positive / 2) / (3/4), 1):
    # (3-1) * 4/3 = 8/3, (3-1/2) * 4/3 = 10/3, (1-1/2) * 4/3 = 2/3 -> 1
    # positive / (positive + G): 3/7, 3/13, 1/2
    loss = debiased_info_nce(THREE_1, THREE_2, tau=0.25, **LN2, **ONE_SIDED)
    assert loss.item() == pytest.approx(math.log(7 / 3 * 13 / 3 * 2) / 3)


def test_hard_info_nce_by_hand():
    # beta = 1: N * sum of squares / sum = 2 * 5/3, 2 * 5/3, 2 * (1/2) / 1, then
    # (10/3-1) * 4/3 = 28/9, (10/3-1/2) * 4/3 = 34/9, (1-1/2) * 4/3 = 2/3 -> 1
    # positive / (positive + G): 18/46, 9/43, 1/2
    loss = hard_info_nce(THREE_1, THREE_2, tau=0.25, **LN2, **ONE_SIDED)
    assert loss.item() == pytest.approx(math.log(46 / 18 * 43 / 9 * 2) / 3)


def test_published_graphcl_form():
    z1, z2 = views(8, 16)
    norms = z1.norm(dim=1).view(-1, 1) * z2.norm(dim=1)
    similarity = torch.exp(z1 @ z2.t() / norms / 0.2)
    positive = similarity.diag()
    expected = -torch.log(positive / (similarity.sum(dim=1) - positive)).mean()
    form = {"positive_in_denominator": False, "two_sided": False}
    torch.testing.assert_close(info_nce(z1, z2, **form), expected)


def test_simclr_form():
    z1, z2 = views(8, 16)
    z = F.normalize(torch.cat([z1, z2]), dim=1)
    logits = (z @ z.t() / 0.5).fill_diagonal_(-math.inf)
    expected = F.cross_entropy(logits, (torch.arange(16) + 8) % 16)
    loss = info_nce(z1, z2, temperature=0.5, negatives="both")
    torch.testing.assert_close(loss, expected)


def test_no_gradient_through_the_floor():
    # Orthogonal graphs: (2 - 0.5 * 2 * e^2) / 0.5 < 0, so G = 2 e^-2 throughout.
    z1 = torch.eye(3, dtype=torch.float64, requires_grad=True)
    z2 = (torch.eye(3, dtype=torch.float64) + 0.1).requires_grad_()
    loss = debiased_info_nce(z1, z2, temperature=0.5, tau=0.5)
    positive = torch.exp(F.cosine_similarity(z1, z2) / 0.5)
    expected = -torch.log(positive / (positive + 2 * math.exp(-2))).mean()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(
        torch.autograd.grad(loss, (z1, z2)), torch.autograd.grad(expected, (z1, z2))
    )


def test_just_at_the_floor():
    # The first two anchors have N tau = 1 and, but for a vanishing rest, one
    # negative like the positive: the difference in G is 0, its logarithm infinite.
    z = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]], requires_grad=True)
    loss = debiased_info_nce(z, z, temperature=0.01, tau=0.5)
    assert loss.item() == 0
    assert torch.autograd.grad(loss, z)[0].isfinite().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tau": 1.0}, r"`tau` should be in \[0, 1\) \(got 1.0\)"),
        ({"tau": -0.1}, r"`tau`.*\(got -0.1\)"),
        ({"tau": math.nan}, r"`tau`.*\(got nan\)"),
        ({"beta": -0.5}, r"`beta` should be a non-negative number \(got -0.5\)"),
        ({"beta": math.inf}, r"`beta`.*\(got inf\)"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        hard_info_nce(*views(3, 2), **options)
