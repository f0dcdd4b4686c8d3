import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC, LinearSVC

from pyg_prosampler import linear_evaluation
from pyg_prosampler.evaluation import PROTOCOLS


def reference(features, labels, make, seed, num_folds=10):
    r"""The protocol in plain loops."""
    scores, chosen = [], []
    outer = StratifiedKFold(num_folds, shuffle=True, random_state=seed)
    for train, test in outer.split(features, labels):
        best = (-1.0, None)
        for c in (1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3):
            inner = StratifiedKFold(5, shuffle=True, random_state=seed)
            accuracies = [
                accuracy_score(
                    labels[train][b],
                    make(c)
                    .fit(features[train][a], labels[train][a])
                    .predict(features[train][b]),
                )
                for a, b in inner.split(features[train], labels[train])
            ]
            if np.mean(accuracies) > best[0]:
                best = (np.mean(accuracies), c)
        chosen.append(best[1])
        model = make(best[1]).fit(features[train], labels[train])
        scores.append(accuracy_score(labels[test], model.predict(features[test])))
    return scores, chosen


@pytest.fixture(scope="module")
def data():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 3
    embeddings = torch.randn(60, 4, generator=generator)
    embeddings[:, 0] += 1.5 * labels
    return embeddings, labels


@pytest.mark.parametrize(
    ("protocol", "make"),
    [
        ("libsvm-rbf", lambda c: SVC(C=c)),
        ("libsvm-linear", lambda c: SVC(C=c, kernel="linear")),
        ("liblinear", lambda c: LinearSVC(C=c, dual=False)),
    ],
)
def test_equals_reference(data, protocol, make):
    embeddings, labels = data
    found = linear_evaluation(embeddings, labels, protocol=protocol, seed=3)
    scores, chosen = reference(embeddings.numpy(), labels.numpy(), make, seed=3)
    assert found["fold_scores"] == [scores]
    assert found["chosen_c"] == [chosen]
    assert found["mean"] == pytest.approx(np.mean(scores))
    assert found["std_over_folds"] == pytest.approx(np.std(scores, ddof=1))
    assert found["std_over_seeds"] is None
    assert found["protocol"] == protocol


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
