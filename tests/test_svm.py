import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.svm import SVC

from pyg_prosampler.svm import Machines, RBFMachines, predict, squared_distances

C_VALUES = (1e-3, 1e-1, 1.0, 1e3)


def halves(num_points, generator):
    order = generator.permutation(num_points)
    return order[: num_points // 2], order[num_points // 2 :]


# Few values make equal points, with equal or other classes, and ties everywhere.
grids = arrays(
    np.float32,
    st.tuples(st.just(40), st.integers(1, 3)),
    elements=st.integers(0, 2).map(float),
)
clouds = st.builds(
    lambda seed, scale: scale * np.random.default_rng(seed).normal(size=(40, 3)),
    st.integers(0, 2**16),
    st.sampled_from([1e-3, 1.0, 1e4]),
)


@given(st.one_of(grids, clouds), st.integers(2, 4), st.integers(0, 2**16))
def test_scores_are_those_of_scikit_learn(features, num_classes, seed):
    generator = np.random.default_rng(seed)
    targets = generator.integers(num_classes, size=len(features))
    train, test = halves(len(features), generator)
    assume(len(np.unique(targets[train])) > 1)
    found = RBFMachines(features, targets)(train, test, C_VALUES)
    plain = Machines(lambda c: SVC(C=c), features, targets)
    assert found == plain(train, test, C_VALUES)


@pytest.mark.parametrize("num_classes", [2, 3, 5])
@pytest.mark.parametrize("outlier", [1.0, 1e6])
def test_all_c_predict_at_once_and_know_what_is_sure(num_classes, outlier):
    generator = np.random.default_rng(num_classes)
    features = generator.normal(size=(90, 4))
    features[0] *= outlier
    targets = np.array(list("abcde"))[np.arange(90) % num_classes]
    kernel = np.exp(-0.1 * squared_distances(features))
    train, test = halves(90, generator)
    machines = [
        SVC(C=c, kernel="precomputed").fit(kernel[np.ix_(train, train)], targets[train])
        for c in C_VALUES
    ]
    asked = kernel[np.ix_(test, train)]
    labels, unsure = predict(machines, asked)
    assert not unsure.any()
    assert labels.tolist() == [m.predict(asked).tolist() for m in machines]


def test_ties_are_not_sure():
    features = np.array([[-1.0], [1.0], [0.0], [0.5]])
    kernel = np.exp(-squared_distances(features))
    machine = SVC(kernel="precomputed").fit(kernel[:2, :2], [0, 1])
    labels, unsure = predict([machine], kernel[2:, :2])
    assert unsure.tolist() == [[True, False]]
    assert labels[0, 1] == 1


@given(clouds)
def test_squared_distances(features):
    expected = np.square(features[:, None] - features[None]).sum(axis=-1)
    found = squared_distances(features)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * expected.max())
    assert (found.diagonal() == 0).all()
    assert (found == found.T).all()
