import importlib.util

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.svm import SVC, LinearSVC

from pyg_prosampler import evaluation, linear_evaluation
from pyg_prosampler.build import build_framework, labels_of, load_for
from pyg_prosampler.config import PretrainConfig
from pyg_prosampler.encode import encode_dataset
from pyg_prosampler.evaluation import C_GRID, PROTOCOLS


def reference(features, labels, model, seed, num_folds=10):
    r"""The protocol as one writes it with scikit-learn."""
    scores, chosen = [], []
    for train, test in folds(num_folds, seed).split(features, labels):
        search = GridSearchCV(model, {"C": C_GRID}, cv=folds(5, seed))
        search.fit(features[train], labels[train])
        scores.append(search.score(features[test], labels[test]))
        chosen.append(search.best_params_["C"])
    return scores, chosen


def folds(number, seed):
    return StratifiedKFold(number, shuffle=True, random_state=seed)


@pytest.fixture(scope="module")
def data():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 3
    embeddings = torch.randn(60, 4, generator=generator)
    embeddings[:, 0] += 1.5 * labels
    return embeddings, labels


@pytest.mark.parametrize(
    ("protocol", "model"),
    [
        ("libsvm-rbf", SVC()),
        ("libsvm-linear", SVC(kernel="linear")),
        ("liblinear", LinearSVC(dual=False)),
    ],
)
def test_equals_reference(data, protocol, model):
    embeddings, labels = data
    found = linear_evaluation(embeddings, labels, protocol=protocol, seed=3)
    scores, chosen = reference(embeddings.numpy(), labels.numpy(), model, seed=3)
    assert found["fold_scores"] == [scores]
    assert found["chosen_c"] == [chosen]
    assert found["mean"] == pytest.approx(np.mean(scores))
    assert found["std_over_folds"] == pytest.approx(np.std(scores, ddof=1))
    assert found["std_over_seeds"] is None
    assert found["protocol"] == protocol


@pytest.mark.skipif(
    importlib.util.find_spec("grakel") is None, reason="grakel is not installed"
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_reference_on_real_embeddings(tmp_path, dtype):
    config = PretrainConfig(dataset="MUTAG", root=str(tmp_path))
    dataset = load_for(config)
    encoder = build_framework(config, dataset).embed
    embeddings, labels = encode_dataset(encoder, dataset), labels_of(dataset)
    embeddings = embeddings.to(dtype)
    found = linear_evaluation(embeddings, labels, seed=1, num_folds=5)
    scores, chosen = reference(embeddings.numpy(), labels.numpy(), SVC(), 1, 5)
    assert found["fold_scores"] == [scores]
    assert found["chosen_c"] == [chosen]


@given(st.integers(0, 2**16), st.integers(2, 3), st.sampled_from([1, 2, 50]))
@settings(max_examples=5)
def test_equals_reference_where_c_ties(seed, num_classes, num_values):
    generator = np.random.default_rng(seed)
    features = generator.integers(num_values, size=(30, 2)).astype(np.float32)
    labels = np.arange(30) % num_classes
    found = linear_evaluation(features, labels, seed=seed, num_folds=2)
    scores, chosen = reference(features, labels, SVC(), seed, num_folds=2)
    assert found["fold_scores"] == [scores]
    assert found["chosen_c"] == [chosen]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_any_labels(data, protocol):
    embeddings, labels = data
    names = np.array(["one", "two", "three"])
    found = linear_evaluation(embeddings, names[labels], protocol=protocol, num_folds=3)
    order = torch.from_numpy(names.argsort().argsort())
    assert found == linear_evaluation(
        embeddings, order[labels], protocol=protocol, num_folds=3
    )


def test_too_many_points_for_kernels(data, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(evaluation, "Machines", None)
        expected = linear_evaluation(*data, num_folds=5)
    monkeypatch.setattr(evaluation, "_MAX_KERNEL_BYTES", 8 * 60**2)
    monkeypatch.setattr(evaluation, "RBFMachines", None)
    assert linear_evaluation(*data, num_folds=5) == expected


def test_repeats_are_seeded_one_by_one(data):
    repeated = linear_evaluation(*data, seed=5, num_repeats=3, num_folds=5)
    singles = [linear_evaluation(*data, seed=s, num_folds=5) for s in (5, 6, 7)]
    assert repeated["seeds"] == [5, 6, 7]
    assert repeated["fold_scores"] == [one["fold_scores"][0] for one in singles]
    means = [one["mean"] for one in singles]
    assert repeated["mean"] == pytest.approx(np.mean(means))
    assert repeated["std_over_seeds"] == pytest.approx(np.std(means, ddof=1))


def test_does_not_depend_on_the_number_of_jobs_or_the_global_state(data):
    np.random.seed(1)  # noqa: NPY002
    one = linear_evaluation(*data, num_jobs=1, num_folds=5)
    np.random.seed(2)  # noqa: NPY002
    assert linear_evaluation(*data, num_jobs=2, num_folds=5) == one


def test_chance_level_on_noise():
    embeddings = torch.randn(200, 5, generator=torch.Generator().manual_seed(0))
    scores = linear_evaluation(embeddings, torch.arange(200) % 2)
    assert scores["mean"] == pytest.approx(0.5, abs=0.12)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_dtypes_and_gradients(data, dtype):
    embeddings = data[0].to(dtype).requires_grad_()
    assert linear_evaluation(embeddings, data[1], num_folds=5)["mean"] > 0.5


LABELS = torch.arange(60) % 2


@pytest.mark.parametrize(
    ("embeddings", "labels", "kwargs", "message"),
    [
        (torch.ones(60, 2), None, {}, r"`labels` are needed .*\(got none\)"),
        (torch.ones(59, 2), LABELS, {}, r"got \[59, 2\] and \[60\]"),
        (torch.ones(60), LABELS, {}, r"got \[60\] and \[60\]"),
        (torch.full((60, 1), torch.nan), LABELS, {}, r"NaN .* 60 graphs .*\[0, 1"),
        (torch.ones(60, 2), torch.ones(60), {}, "at least 2 classes"),
        (
            torch.ones(60, 2),
            LABELS,
            {"num_folds": 31},
            r"31 times .*got 30 for class 0",
        ),
        (torch.ones(60, 2), LABELS, {"num_folds": 1}, r"`num_folds` .*\(got 1\)"),
        (torch.ones(60, 2), LABELS, {"num_repeats": 0}, r"`num_repeats` .*\(got 0\)"),
        (torch.ones(60, 2), LABELS, {"protocol": "svm"}, rf"one of .*{PROTOCOLS[0]}"),
    ],
)
def test_bad_input(embeddings, labels, kwargs, message):
    with pytest.raises(ValueError, match=message):
        linear_evaluation(embeddings, labels, **kwargs)
