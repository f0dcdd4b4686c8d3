r"""Reports of batches side by side in the terminal."""

from typing import Any

from rich.table import Table


def to_table(reports: dict[str, dict[str, Any]], title: str | None = None) -> Table:
    r"""Lays out the reports of :meth:`hardness`, one column for each, for the
    terminal. A second number is what uniform batches have.

    Args:
        reports (dict): The reports by name.
        title (str, optional): The title. (default: :obj:`None`)

    Example:
        >>> import torch
        >>> from pyg_prosampler.hardness import hardness
        >>> table = to_table({"pairs": hardness([[0, 1], [2, 3]], torch.eye(4))})
        >>> table.row_count
        12
    """
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    table.add_column("")
    for name in reports:
        table.add_column(name, justify="right")
    values = list(reports.values())

    def row(name: str, key: str, floor: str | None = None, spec: str = ".3f") -> None:
        cells = [_format(report[key], spec) for report in values]
        if floor is not None:
            cells = [
                f"{cell} / {_format(report[floor], spec)}" if cell else ""
                for cell, report in zip(cells, values, strict=True)
            ]
        if any(cells):
            table.add_row(name, *cells)

    row("similarity, mean", "similarity", "similarity_floor")
    for index, name in enumerate(("lower quartile", "median", "upper quartile")):
        quartiles = [_format(r["similarity_quartiles"][index], ".3f") for r in values]
        table.add_row(f"  {name}", *quartiles)
    row("neighbours found", "neighbors_found", "neighbors_floor")
    row("false negatives", "false_negative_rate", "false_negative_floor")
    row("batches", "num_batches", spec="d")
    row("graphs drawn", "num_drawn", spec="d")
    row("  unique", "num_unique", spec="d")
    row("  repeats", "num_repeats", spec="d")
    row("coverage", "coverage", spec=".1%")
    row("filled up", "fill_rate", spec=".1%")
    row("effective rank", "effective_rank", spec=".1f")
    row("spread", "spread")
    return table


def _format(value: float | None, spec: str) -> str:
    return "" if value is None else format(value, spec)
