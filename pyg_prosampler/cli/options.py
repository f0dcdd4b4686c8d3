r"""What commands have in common: options, and the configuration as such."""

import inspect
from collections.abc import Callable
from dataclasses import fields
from datetime import datetime
from operator import getitem
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from pyg_prosampler.config import PretrainConfig

Out = Annotated[
    Path | None,
    typer.Option(help="Output folder (default: runs/COMMAND-DATASET-TIME)."),
]
Seeds = Annotated[str, typer.Option(help="Seeds, separated by commas.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Say more, and show tracebacks.")
]


def takes_config(*omitted: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    r"""Gives a command an option for every field of
    :class:`~pyg_prosampler.config.PretrainConfig` but those that are omitted, and
    hands it all of them as :obj:`values`.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        types = get_type_hints(PretrainConfig)
        names = [f.name for f in fields(PretrainConfig) if f.name not in omitted]
        parameters = []
        for f in fields(PretrainConfig):
            if f.name in omitted:
                continue
            kind = typer.Argument if f.name == "dataset" else typer.Option
            # Type checkers would read `Annotated[...]` as a type.
            option = kind(help=f.metadata["help"])
            annotation = getitem(Annotated, (types[f.name], option))
            default = inspect.Parameter.empty if f.name == "dataset" else f.default
            parameters.append(
                inspect.Parameter(
                    f.name,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=default,
                    annotation=annotation,
                )
            )
        own = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for name, parameter in inspect.signature(command).parameters.items()
            if name != "values"
        ]

        def wrapper(**options: Any) -> None:
            values = {name: options.pop(name) for name in names}
            command(values, **options)

        wrapper.__name__ = command.__name__
        wrapper.__doc__ = command.__doc__
        wrapper.__signature__ = inspect.Signature([*parameters, *own])  # type: ignore[attr-defined]
        wrapper.__annotations__ = {p.name: p.annotation for p in [*parameters, *own]}
        return wrapper

    return decorate


def parse_seeds(text: str) -> list[int]:
    r"""Reads seeds such as :obj:`"0,1,2"`."""
    try:
        seeds = [int(part) for part in text.split(",")]
    except ValueError:
        seeds = []
    if not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise ValueError(
            f"`seeds` should be distinct natural numbers separated by commas, such as "
            f"'0,1,2' (got '{text}')"
        )
    return seeds


def default_folder(command: str, dataset: str) -> Path:
    r"""A new folder under :obj:`runs`, named by the time."""
    return Path("runs") / f"{command}-{dataset}-{datetime.now():%Y%m%d-%H%M%S}"
