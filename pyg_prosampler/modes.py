r"""Modes and statistics of a module, for a while."""

import functools
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.modules.batchnorm import _BatchNorm


def module_of(function: Callable[..., Any]) -> Module | None:
    r"""Returns a module as it is, and the module of one of its methods, also inside of
    :class:`functools.partial`; any other callable has none.
    """
    while isinstance(function, functools.partial):
        function = function.func
    owner = function if isinstance(function, Module) else None
    owner = getattr(function, "__self__", owner)
    return owner if isinstance(owner, Module) else None


@contextmanager
def evaluating(module: Module | None, device: torch.device | None) -> Iterator[None]:
    r"""Evaluation mode. Training flags of all sub-modules and the global random states
    of Python, NumPy and torch come back as they were.
    """
    modules = [] if module is None else list(module.modules())
    flags = [module.training for module in modules]
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    on_cuda = device is not None and device.type == "cuda"
    try:
        with torch.random.fork_rng(devices=[device] if on_cuda else []):
            for module in modules:
                module.training = False
            yield
    finally:
        for module, flag in zip(modules, flags, strict=True):
            module.training = flag
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002


def recording_norms(module: Module | None) -> list[_BatchNorm]:
    r"""The batch norms of a module that record statistics in training."""
    return [
        part
        for part in ([] if module is None else module.modules())
        if isinstance(part, _BatchNorm) and part.track_running_stats
    ]


@contextmanager
def recomputed_norms(
    norms: Sequence[_BatchNorm], passes: Callable[[], Iterable[Any]]
) -> Iterator[None]:
    r"""Replaces what batch norms have recorded in training by the statistics of some
    passes under the current weights, the mean over passes. What was recorded comes
    back.

    As :meth:`torch.optim.swa_utils.update_bn`, but for a while.

    Args:
        norms (list[torch.nn.Module]): The batch norms, of a module that is otherwise
            in evaluation mode.
        passes (Callable): Makes the passes, one at each step.
    """
    recorded = [
        ({name: value.clone() for name, value in norm.named_buffers()}, norm.momentum)
        for norm in norms
    ]
    try:
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # The mean of all passes.
            norm.training = True
        for _ in passes():
            pass
        for norm in norms:
            norm.training = False
        yield
    finally:
        for norm, (buffers, momentum) in zip(norms, recorded, strict=True):
            norm.momentum = momentum
            norm.training = False
            current: dict[str, Tensor] = dict(norm.named_buffers())
            for name, value in buffers.items():
                current[name].copy_(value)
