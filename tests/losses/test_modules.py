r"""What all graph-graph objectives have in common, through their modules."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pyg_prosampler.losses import (
    JSD,
    DebiasedInfoNCE,
    HardInfoNCE,
    InfoNCE,
    UnReMix,
    debiased_info_nce,
    hard_info_nce,
    info_nce,
    unremix,
)
from tests.losses.test_functional import FORMS, form_id, some_mask, views

MODULES = [InfoNCE, DebiasedInfoNCE, HardInfoNCE, UnReMix]
every_objective = pytest.mark.parametrize("module", MODULES)
every_form = pytest.mark.parametrize("form", FORMS, ids=form_id)


def backward(objective, z1, z2, mask=None):
    r"""Returns the loss and both gradients, all of them finite; anomaly detection
    makes sure that no NaN stands in between.
    """
    z1, z2 = (z.detach().requires_grad_() for z in (z1, z2))
    with torch.autograd.set_detect_anomaly(True):
        loss = objective(z1, z2, mask)
        gradients = torch.autograd.grad(loss, (z1, z2))
    assert loss.dim() == 0
    assert loss.isfinite()
    assert all(gradient.isfinite().all() for gradient in gradients)
    return loss, *gradients


@pytest.mark.parametrize(
    ("module", "function", "options"),
    [
        (InfoNCE, info_nce, {}),
        (DebiasedInfoNCE, debiased_info_nce, {"tau": 0.3}),
        (HardInfoNCE, hard_info_nce, {"tau": 0.3, "beta": 0.7}),
        (UnReMix, unremix, {"weights": (0.2, 0.5, 0.3)}),
    ],
)
@every_form
def test_module_is_its_function(module, function, options, form):
    z1, z2 = views(5, 4)
    mask = some_mask(5)
    assert module()(z1, z2) == function(z1, z2)
    options = {"temperature": 0.7, **options, **form}
    objective = module(**options)
    assert objective(z1, z2, mask) == function(z1, z2, mask, **options)
    for name, value in options.items():
        assert f"{name}={value!r}" in repr(objective)


def test_wrong_options_are_found_at_construction():
    with pytest.raises(ValueError, match="`tau`"):
        DebiasedInfoNCE(tau=1.0)
    with pytest.raises(ValueError, match="`beta`"):
        HardInfoNCE(beta=-1.0)
    with pytest.raises(ValueError, match="`weights`"):
        UnReMix(weights=(1.0, 1.0, 1.0))
    assert repr(JSD()) == "JSD()"


@every_objective
@given(form=st.sampled_from(FORMS), seed=st.integers(0, 1000), size=st.integers(2, 9))
def test_order_of_graphs_does_not_matter(module, form, seed, size):
    z1, z2 = views(size, 6, seed)
    mask = some_mask(size, seed)
    order = torch.randperm(size, generator=torch.Generator().manual_seed(seed))
    loss, *gradients = backward(module(**form), z1, z2, mask)
    moved = backward(module(**form), z1[order], z2[order], mask[order][:, order])
    torch.testing.assert_close(moved[0], loss)
    for gradient, moved_gradient in zip(gradients, moved[1:], strict=True):
        torch.testing.assert_close(moved_gradient, gradient[order])


@every_objective
@pytest.mark.parametrize("negatives", ["cross", "both"])
def test_two_sided_is_symmetric_in_the_views(module, negatives):
    z1, z2 = views(6, 4)
    mask = some_mask(6)
    objective = module(negatives=negatives)
    torch.testing.assert_close(objective(z1, z2, mask), objective(z2, z1, mask))
    one_sided = module(negatives=negatives, two_sided=False)
    there, back = one_sided(z1, z2, mask), one_sided(z2, z1, mask)
    assert not torch.isclose(there, back)
    torch.testing.assert_close((there + back) / 2, objective(z1, z2, mask))


@every_objective
def test_lengths_do_not_matter(module):
    z1, z2 = views(6, 4)
    lengths = torch.rand(2, 6, 1, dtype=z1.dtype) + 0.1
    loss = module()(lengths[0] * z1, lengths[1] * z2)
    torch.testing.assert_close(loss, module()(z1, z2))


@every_objective
@every_form
@pytest.mark.parametrize("temperature", [0.01, 0.05])
@pytest.mark.parametrize("size", [2, 3, 16])
def test_low_temperature(module, form, temperature, size):
    objective = module(temperature=temperature, **form)
    for seed in range(2):
        z1, z2 = views(size, 8, seed, dtype=torch.float32)
        for other in (z2, z1, -z1, z1.roll(1, dims=0)):
            loss, *gradients = backward(objective, z1, other)
            exact = objective(z1.double(), other.double())
            torch.testing.assert_close(loss.double(), exact, rtol=1e-3, atol=1e-3)
            assert all(gradient.abs().max() < 1e4 for gradient in gradients)


@every_objective
@every_form
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_zero_embeddings(module, form, dtype):
    objective = module(temperature=0.01, **form)
    z1, z2 = views(4, 3, dtype=torch.float32)
    z1[0] = z2[1] = z1[3] = z2[3] = 0.0
    _, gradient1, gradient2 = backward(objective, z1.to(dtype), z2.to(dtype))
    assert not gradient1[0].any()
    assert not gradient2[1].any()
    zeros = torch.zeros(4, 3, dtype=dtype)
    backward(objective, zeros, zeros)
    for mask in (some_mask(4), torch.ones(4, 4, dtype=torch.bool)):
        backward(objective, zeros, zeros, mask)


@every_objective
@every_form
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast(module, form, dtype):
    objective = module(**form)
    z1, z2 = views(6, 8, dtype=torch.float32)
    with torch.autocast("cpu", dtype=dtype):
        # Vectors in float32 give the very same numbers.
        for inside, outside in zip(
            backward(objective, z1, z2), backward(objective, z1, z2), strict=True
        ):
            assert inside.equal(outside)
        loss, *gradients = backward(objective, z1.to(dtype), z2.to(dtype))
    assert loss.dtype == torch.float32
    expected = objective(z1.to(dtype).double(), z2.to(dtype).double())
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=1e-5)
    assert gradients[0].dtype == dtype

    # Overflows in half precision: both norms and exp(1 / T).
    objective = module(temperature=0.01, **form)
    backward(objective, (1000 * z1).to(dtype), (1000 * z2).to(dtype))


@every_objective
def test_training_under_autocast(module):
    layer = torch.nn.Linear(5, 4)
    x1, x2 = torch.randn(2, 6, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = module(temperature=0.05)(layer(x1), layer(x2))
    loss.backward()
    assert layer.weight.grad.isfinite().all()
    assert layer.weight.grad.any()


@every_objective
@every_form
def test_no_negative_left(module, form):
    z1, z2 = views(4, 3)
    mask = torch.ones(4, 4, dtype=torch.bool)
    loss, *gradients = backward(module(**form), z1, z2, mask)
    assert loss == 0
    assert not any(gradient.any() for gradient in gradients)


@every_objective
@every_form
def test_mask_without_effect(module, form):
    z1, z2 = views(4, 3)
    loss = module(**form)(z1, z2)
    assert module(**form)(z1, z2, torch.zeros(4, 4, dtype=torch.bool)) == loss
    assert module(**form)(z1, z2, torch.eye(4, dtype=torch.bool)) == loss


@every_objective
def test_inputs_stay_as_they_are(module):
    z1, z2 = views(4, 3)
    mask = some_mask(4)
    copies = [x.clone() for x in (z1, z2, mask)]
    module(negatives="both")(z1, z2, mask)
    assert all(a.equal(b) for a, b in zip((z1, z2, mask), copies, strict=True))


@every_objective
def test_one_graph_is_an_error(module):
    with pytest.raises(ValueError, match="drop_last=True"):
        module()(torch.ones(1, 3), torch.ones(1, 3))
