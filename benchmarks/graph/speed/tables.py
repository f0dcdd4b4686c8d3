r"""Tables of speed, and the plot of growth, from the records alone."""

from collections.abc import Callable, Iterable
from math import log
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from pyg_prosampler.figures.style import line_styles, save

Record = dict[str, Any]


def ratios(records: list[Record]) -> str:
    r"""A row for each case: milliseconds of the plain way, and by how much the others
    are faster, with quartiles; in brackets with the allocation tuned.
    """
    rows: dict[tuple[str, ...], list[str]] = {}  # A table for each set of ways.
    for case, default, tuned in _pairs(records):
        plain, *others = default["seconds"]
        cells = [_both(_milliseconds, plain, default, tuned)]
        cells += [_both(_ratio, name, default, tuned) for name in others]
        rows.setdefault((plain, *others), []).append(_row([case, *cells]))
    tables = [
        [_row(["", f"{plain}, ms", *others]), _rule(len(others) + 2), *lines]
        for (plain, *others), lines in rows.items()
    ]
    return "\n\n".join("\n".join(table) for table in tables)


def encoding(records: list[Record]) -> str:
    r"""A row for each data set: an epoch, and passes as shares of it."""
    ways = {
        "plain": "collated by PyG",
        "anew": "collated anew",
        "kept": "kept batches",
        "bank": "bank",
    }
    lines = [_row(["", "training epoch, ms", *ways.values()]), _rule(len(ways) + 2)]
    for case, default, tuned in _pairs(records):
        cells = [_both(_milliseconds, "epoch", default, tuned)]
        cells += [_both(_share, way, default, tuned) for way in ways]
        lines.append(_row([case, *cells]))
    return "\n".join(lines)


def proximity(records: list[Record]) -> str:
    r"""Ratios, and the rates beside that of a large product."""
    lines = [ratios(records), "", _row(["", "GFLOP/s", "large product", "share"])]
    lines.append(_rule(4))
    for case, default, tuned in _pairs(records):
        rates = ("gflops", "matmul_gflops")
        cells = [_both(_rate, key, default, tuned) for key in rates]
        cells.append(_both(_percentage, "share", default, tuned))
        lines.append(_row([case, *cells]))
    return "\n".join(lines)


def evaluation(records: list[Record]) -> str:
    r"""Ratios, and whether scores and chosen :math:`C` are the same."""
    same = all(record["identical"] for record in records)
    sentence = "In every case, all fold scores and all chosen *C* were the same."
    if not same:
        sentence = "**Not in all cases were fold scores and chosen *C* the same.**"
    return "\n".join([ratios(records), "", sentence])


def growth(records: list[Record]) -> str:
    r"""Seconds at the smallest and the largest size, and the slope between them."""
    lines = [_row(["", "from", "to", "exponent"]), _rule(4)]
    for way, curve in growth_curves(records).items():
        ends = [f"{t:.2g} s at N = {n}" for n, t in (curve[0], curve[-1])]
        lines.append(_row([way, *ends, f"{_exponent(curve):.2f}"]))
    return "\n".join(lines)


def growth_curves(records: Iterable[Record]) -> dict[str, list[tuple[int, float]]]:
    r"""Sizes and median seconds of every way, with the default allocation."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for record in records:
        if record["allocation"] == "default":
            way = record["way"]
            seconds = record["seconds"][way]["median"]
            curves.setdefault(way, []).append((record["num_nodes"], seconds))
    return {way: sorted(curve) for way, curve in curves.items()}


def draw_growth(records: Iterable[Record], path: Path) -> list[Path]:
    r"""Draws seconds by size on logarithmic axes, as PNG and SVG."""
    curves = growth_curves(records)
    styles = line_styles(curves)
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    ax = figure.subplots()
    for way, curve in curves.items():
        ax.loglog(*zip(*curve, strict=True), label=way, **styles[way])
    ax.set_xlabel("number of instances")
    ax.set_ylabel("seconds, one thread")
    ax.grid(alpha=0.3)
    figure.legend(loc="outside right upper")
    return save(figure, path)


TABLES: dict[str, Callable[[list[Record]], str]] = {
    "collate": ratios,
    "aggregation": ratios,
    "training": ratios,
    "encoding": encoding,
    "proximity": proximity,
    "walks": ratios,
    "evaluation": evaluation,
    "growth": growth,
}


def _pairs(
    records: list[Record],
) -> Iterable[tuple[str, Record, Record | None]]:
    r"""Every case, with its records by default and tuned."""
    by_case: dict[str, dict[str, Record]] = {}
    for record in records:
        by_case.setdefault(record["case"], {})[record["allocation"]] = record
    for case, both in by_case.items():
        yield case, both["default"], both.get("tuned")


def _both(
    show: Callable[[Record, str], str], key: str, default: Record, tuned: Record | None
) -> str:
    return show(default, key) + (f" ({show(tuned, key)})" if tuned else "")


def _milliseconds(record: Record, way: str) -> str:
    value = 1e3 * record["seconds"][way]["median"]
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _ratio(record: Record, way: str) -> str:
    ratio = record["ratio"][way]
    low, high = f"{ratio['low']:.3g}", f"{ratio['high']:.3g}"
    spread = "" if low == high else f" [{low}, {high}]"
    return f"{ratio['median']:.3g}x{spread}"


def _rate(record: Record, key: str) -> str:
    return f"{record[key]:.1f}"


def _percentage(record: Record, key: str) -> str:
    return f"{record[key]:.0%}"


def _share(record: Record, way: str) -> str:
    return f"{record['share_of_epoch'][way]:.2%}"


def _exponent(curve: list[tuple[int, float]]) -> float:
    (n1, t1), (n2, t2) = curve[0], curve[-1]
    return log(t2 / t1) / log(n2 / n1)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _rule(width: int) -> str:
    return "|---" * width + "|"
