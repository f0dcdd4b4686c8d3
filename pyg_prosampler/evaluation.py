r"""Linear evaluation: how well frozen embeddings separate the classes."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed, effective_n_jobs
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC, LinearSVC
from threadpoolctl import threadpool_limits
from torch import Tensor

from pyg_prosampler.svm import Machines, RBFMachines

PROTOCOLS = ("libsvm-rbf", "libsvm-linear", "liblinear")

C_GRID = (1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3)
_NUM_INNER_FOLDS = 5
# Beyond, LIBSVM computes kernels row by row from the features, and forgets them.
_MAX_KERNEL_BYTES = 4 * 2**30

Scorer = Callable[[NDArray[Any], NDArray[Any], Sequence[float]], list[float]]


def linear_evaluation(
    embeddings: Tensor | ArrayLike,
    labels: Tensor | ArrayLike | None,
    *,
    protocol: str = "libsvm-rbf",
    seed: int = 0,
    num_repeats: int = 1,
    num_folds: int = 10,
    num_jobs: int | None = None,
) -> dict[str, Any]:
    r"""Scores frozen embeddings by the accuracy of a support vector machine in
    stratified cross-validation, as the tables of `InfoGraph
    <https://arxiv.org/abs/1908.01000>`_, `GraphCL
    <https://arxiv.org/abs/2010.13902>`_ and their successors do.

    On the training part of each of the outer folds, :math:`C` is chosen from
    :math:`\{10^{-3}, \ldots, 10^3\}` by 5-fold cross-validation, and the
    machine is fitted anew. Embeddings are not scaled.

    * :obj:`"libsvm-rbf"`: scikit-learn's :class:`~sklearn.svm.SVC` with its
      defaults (RBF kernel, :obj:`gamma="scale"`), the "LIBSVM classifier" of
      the published tables;
    * :obj:`"libsvm-linear"`: the same with a linear kernel;
    * :obj:`"liblinear"`: :class:`~sklearn.svm.LinearSVC`, as MVGRL uses.

    The linear ones can take minutes to hours where the first takes seconds: with a
    large :math:`C`, they converge slowly on embeddings that are not scaled, and
    :obj:`"liblinear"` then warns that it has stopped before.

    Scores are those of scikit-learn's
    :class:`~sklearn.model_selection.GridSearchCV` on every outer fold. For
    :obj:`"libsvm-rbf"`, :class:`~pyg_prosampler.svm.RBFMachines` finds them in less
    time as long as its distances and the kernels of all threads, :math:`8 N^2`
    bytes each at most, fit in 4 GiB.

    Args:
        embeddings (torch.Tensor or array): The embeddings :math:`[N, d]`.
        labels (torch.Tensor or array): The class labels :math:`[N]`.
        protocol (str, optional): The name of the classifier, see above.
            (default: :obj:`"libsvm-rbf"`)
        seed (int, optional): The seed of all splits. (default: :obj:`0`)
        num_repeats (int, optional): How often the cross-validation is repeated,
            with seeds :obj:`seed`, :obj:`seed + 1` and so on.
            (default: :obj:`1`)
        num_folds (int, optional): The number of outer folds.
            (default: :obj:`10`)
        num_jobs (int, optional): The number of threads; results do not depend
            on it. (default: :obj:`None`, one for every core)

    Returns:
        dict: :obj:`protocol`; :obj:`mean`, the mean accuracy in [0, 1];
        :obj:`std_over_seeds`, the standard deviation of the repeats' means
        (:obj:`None` for a single one); :obj:`std_over_folds`, the standard
        deviation over all folds; :obj:`fold_scores` and :obj:`chosen_c`, one
        list of folds for each repeat; :obj:`seeds`.

    Raises:
        ValueError: If embeddings and labels do not fit, are not finite or
            missing, or if a class has fewer members than there are folds.

    Example:
        >>> labels = torch.arange(40) % 2
        >>> embeddings = torch.randn(40, 3) + 9 * labels.view(-1, 1)
        >>> linear_evaluation(embeddings, labels)["mean"]
        1.0
    """
    features, targets = check_evaluation(
        embeddings, labels, protocol=protocol, num_folds=num_folds
    )
    if num_repeats < 1:
        raise ValueError(f"`num_repeats` should be at least 1 (got {num_repeats})")
    num_jobs = effective_n_jobs(num_jobs or _num_cores())
    score = _scorer(protocol, features, targets, num_jobs)
    seeds = list(range(seed, seed + num_repeats))
    outer = [
        (train, test, repeat)
        for repeat in seeds
        for train, test in _split(targets, num_folds, repeat)
    ]
    inner = [
        (train[fitted], train[validated])
        for train, _, repeat in outer
        for fitted, validated in _split(targets[train], _NUM_INNER_FOLDS, repeat)
    ]
    # LIBSVM and LIBLINEAR let go of the interpreter lock, so threads will do, and
    # the threads of the linear algebra would only get in their way.
    with threadpool_limits(1), Parallel(num_jobs, prefer="threads") as parallel:
        accuracies = parallel(delayed(score)(*split, C_GRID) for split in inner)
        means = np.reshape(accuracies, (len(outer), _NUM_INNER_FOLDS, -1)).mean(axis=1)
        # The first of several that are best.
        best = [C_GRID[index] for index in means.argmax(axis=1)]
        finals = parallel(
            delayed(score)(train, test, [c])
            for (train, test, _), c in zip(outer, best, strict=True)
        )
    scores, chosen_c = np.reshape([np.ravel(finals), best], (2, num_repeats, num_folds))
    return {
        "protocol": protocol,
        "mean": float(scores.mean()),
        "std_over_seeds": (
            float(scores.mean(axis=1).std(ddof=1)) if num_repeats > 1 else None
        ),
        "std_over_folds": float(scores.std(ddof=1)),
        "fold_scores": scores.tolist(),
        "chosen_c": chosen_c.tolist(),
        "seeds": seeds,
    }


def check_evaluation(
    embeddings: Tensor | ArrayLike,
    labels: Tensor | ArrayLike | None,
    *,
    protocol: str = "libsvm-rbf",
    num_folds: int = 10,
) -> tuple[NDArray[Any], NDArray[Any]]:
    r"""Checks the input of :meth:`linear_evaluation` and returns it as arrays;
    useful before a long training, too.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"`protocol` should be one of {PROTOCOLS} (got '{protocol}')")
    if labels is None:
        raise ValueError(
            "`labels` are needed for an evaluation (got none); the data set has no "
            "`y`, so skip the evaluation or give labels"
        )
    features, targets = _to_array(embeddings), _to_array(labels)
    if features.ndim != 2 or targets.shape != features.shape[:1]:
        raise ValueError(
            f"`embeddings` [N, d] and `labels` [N] should fit each other "
            f"(got {list(features.shape)} and {list(targets.shape)})"
        )
    if not np.isfinite(features).all():
        bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
        raise ValueError(
            f"`embeddings` are NaN or infinite for {len(bad)} graphs "
            f"(the first are {bad[:10].tolist()})"
        )
    if num_folds < 2:
        raise ValueError(f"`num_folds` should be at least 2 (got {num_folds})")
    classes, counts = np.unique(targets, return_counts=True)
    if len(classes) < 2:
        raise ValueError(
            f"`labels` should name at least 2 classes (got only {classes.tolist()})"
        )
    # The training part of the outer folds must serve the inner ones, too.
    needed = max(num_folds, _NUM_INNER_FOLDS + 2)
    if counts.min() < needed:
        raise ValueError(
            f"`labels` should name every class at least {needed} times for "
            f"{num_folds} folds with {_NUM_INNER_FOLDS} inner ones (got "
            f"{counts.min()} for class {classes[counts.argmin()]}); lower `num_folds` "
            f"or leave out the class"
        )
    return features, targets


def _scorer(
    protocol: str, features: NDArray[Any], targets: NDArray[Any], num_jobs: int
) -> Scorer:
    r"""What fits on some points and returns the accuracies on others, given both as
    indices and the values of :math:`C`.
    """
    if protocol == "libsvm-rbf":
        # The distances, and a kernel in every thread.
        if 8 * len(features) ** 2 * (1 + num_jobs) <= _MAX_KERNEL_BYTES:
            return RBFMachines(features, targets)
        return Machines(lambda c: SVC(C=c), features, targets)
    if protocol == "libsvm-linear":
        return Machines(lambda c: SVC(C=c, kernel="linear"), features, targets)
    # The primal problem converges where coordinate descent on the dual does not.
    return Machines(lambda c: LinearSVC(C=c, dual=False), features, targets)


def _split(
    targets: NDArray[Any], num_folds: int, seed: int
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    folds = StratifiedKFold(num_folds, shuffle=True, random_state=seed)
    return folds.split(targets, targets)


def _to_array(values: Tensor | ArrayLike) -> NDArray[Any]:
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        return (values.float() if values.dtype == torch.bfloat16 else values).numpy()
    return np.asarray(values)


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (
        os.cpu_count() or 1
    )  # fmt: skip
