r"""Support vector machines on many subsets of the same points: scikit-learn's scores,
sooner.
"""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.base import ClassifierMixin
from sklearn.svm import SVC

_BLOCK_ROWS = 32


class Machines:
    r"""The accuracies of classifiers on subsets of the same points, one by one.

    Args:
        make (Callable): Makes the classifier with a given :math:`C`.
        features (array): The points :math:`[N, d]`.
        targets (array): Their classes :math:`[N]`.
    """

    def __init__(
        self,
        make: Callable[[float], ClassifierMixin],
        features: NDArray[Any],
        targets: NDArray[Any],
    ) -> None:
        self.make = make
        self.features = features
        self.targets = targets

    def __call__(
        self, train: NDArray[Any], test: NDArray[Any], c_values: Sequence[float]
    ) -> list[float]:
        r"""Fits on the points :obj:`train` with each of the :math:`C` and returns
        the accuracies on the points :obj:`test`.
        """
        fitted = self.features[train], self.targets[train]
        asked = self.features[test], self.targets[test]
        return [self.make(c).fit(*fitted).score(*asked) for c in c_values]


class RBFMachines:
    r"""The accuracies that :class:`Machines` finds for :class:`~sklearn.svm.SVC`
    (RBF kernel, :obj:`gamma="scale"`), in less time.

    What all subsets share, the squared distances, is computed once; what all
    :math:`C` share, the kernel :math:`\exp(-\gamma \lVert x - x' \rVert^2)` with
    the :math:`\gamma` of a subset, is computed once for each. LIBSVM then takes
    the same steps as from features, since it rounds kernels to 32 bits. All
    :math:`C` predict by one matrix product; what rounding could decide is left to
    a plain :class:`~sklearn.svm.SVC`.

    Beside the :math:`8 N^2` bytes of the distances, a call needs
    :obj:`8 * len(train) * (len(train) + len(test))` bytes and the 200 MB of
    LIBSVM's own cache at most. Calls may run in several threads.

    Args:
        features (array): The points :math:`[N, d]`.
        targets (array): Their classes :math:`[N]`.
    """

    def __init__(self, features: NDArray[Any], targets: NDArray[Any]) -> None:
        self.features = np.ascontiguousarray(features, dtype=np.float64)
        self.targets = targets
        self.distances = squared_distances(self.features)

    def __call__(
        self, train: NDArray[Any], test: NDArray[Any], c_values: Sequence[float]
    ) -> list[float]:
        r"""See :class:`Machines`."""
        kernel = self._kernel(np.concatenate([train, test]), train)
        # Settings of scikit-learn belong to a thread; these spare checks at each C.
        with config_context(assume_finite=True, skip_parameter_validation=True):
            machines = [
                SVC(C=c, kernel="precomputed").fit(
                    kernel[: len(train)], self.targets[train]
                )
                for c in c_values
            ]
            labels, unsure = predict(machines, kernel[len(train) :])
            for c, answers, ask in zip(c_values, labels, unsure, strict=True):
                if ask.any():
                    plain = SVC(C=c).fit(self.features[train], self.targets[train])
                    answers[ask] = plain.predict(self.features[test[ask]])
        return (labels == self.targets[test]).mean(axis=1).tolist()

    def _kernel(self, rows: NDArray[Any], columns: NDArray[Any]) -> NDArray[Any]:
        variance = self.features[columns].var()
        # As "scale" does.
        gamma = 1 / (self.features.shape[1] * variance) if variance != 0 else 1.0
        kernel = np.empty((len(rows), len(columns)))
        # A block of rows at a time stays in the processor's cache.
        for start in range(0, len(rows), _BLOCK_ROWS):
            block = kernel[start : start + _BLOCK_ROWS]
            distances = self.distances[rows[start : start + _BLOCK_ROWS]]
            np.take(distances, columns, axis=1, out=block, mode="clip")
            block *= -gamma
            np.exp(block, out=block)
        return kernel


def squared_distances(features: NDArray[Any]) -> NDArray[Any]:
    r"""The squared Euclidean distances :math:`[N, N]` of all pairs."""
    distances = features @ features.T
    norms = distances.diagonal().copy()
    # In the order of LIBSVM's sum, and with no further matrix of this size.
    for row, norm in zip(distances, norms, strict=True):
        np.subtract(norm + norms, 2 * row, out=row)
    return distances


def predict(
    machines: Sequence[SVC], kernel: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    r"""The predictions of :math:`M` machines with precomputed kernels that were
    fitted on the same points, and which of them are within rounding of another.

    Args:
        machines (list[SVC]): The machines.
        kernel (array): The kernel :math:`[N, N_{\textrm{train}}]`, at most 1, between
            the points that are predicted and the ones of the training.

    Returns:
        tuple: The classes :math:`[M, N]`, and as booleans :math:`[M, N]` what is
        not sure.
    """
    pairs = [_decision_weights(machine, kernel.shape[1]) for machine in machines]
    weights = np.stack([weights for weights, _ in pairs])  # [M, pairs, N_train]
    offsets = np.stack([offsets for _, offsets in pairs])[..., None]
    decisions = weights @ kernel.T + offsets  # [M, pairs, N]
    magnitudes = abs(weights).sum(axis=-1, keepdims=True) + abs(offsets)
    rounding = 4 * kernel.shape[1] * np.finfo(float).eps * magnitudes
    classes = machines[0].classes_
    labels = classes[_vote(decisions, len(classes))]
    return labels, (abs(decisions) <= rounding).any(axis=1)


def _decision_weights(
    machine: SVC, num_train: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    r"""The weights :math:`[P, N_{\textrm{train}}]` and offsets :math:`[P]` of the
    decisions between all pairs of classes, positive for the first of the two.
    """
    num_classes = len(machine.classes_)
    # scikit-learn turns the signs if there are but two classes.
    sign = -1 if num_classes == 2 else 1
    columns = np.split(np.arange(len(machine.support_)), machine.n_support_.cumsum())
    weights = np.zeros((len(machine.intercept_), num_train))
    for row, (i, j) in zip(weights, combinations(range(num_classes), 2), strict=True):
        # Row j - 1 has what points of class i weigh against class j > i.
        for members, against in ((columns[i], j - 1), (columns[j], i)):
            row[machine.support_[members]] = sign * machine.dual_coef_[against, members]
    return weights, sign * machine.intercept_


def _vote(decisions: NDArray[Any], num_classes: int) -> NDArray[Any]:
    r"""The classes :math:`[M, N]` with the most votes, the first of several, as in
    LIBSVM, by decisions :math:`[M, P, N]`.
    """
    num_machines, _, num_points = decisions.shape
    votes = np.zeros((num_machines, num_classes, num_points), dtype=int)
    for pair, (i, j) in enumerate(combinations(range(num_classes), 2)):
        wins = decisions[:, pair] > 0
        votes[:, i] += wins
        votes[:, j] += ~wins
    return votes.argmax(axis=1)
