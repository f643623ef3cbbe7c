"""Small lines without axes: the course of a figure over the hour, and the samples of the legend.

Streamlit removes SVG elements from HTML, so a drawing is the mask of a coloured box; the style sheet
gives the colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

WIDTH, HEIGHT, MARGIN = 120, 26, 3


def sparkline(values: Sequence[float | None], *, from_zero: bool = True) -> str:
    """A line that stretches to its box; gaps stay gaps, the last value has a dot. Screen readers skip it."""
    known = [value for value in values if value is not None]
    if len(known) < 2:  # noqa: PLR2004
        return ""
    low = min(0.0, *known) if from_zero else min(known)
    high = max(known)
    span = (high - low) or 1.0
    step = (WIDTH - 2 * MARGIN) / max(1, len(values) - 1)
    points = [
        None
        if value is None
        else (MARGIN + step * place, HEIGHT - MARGIN - (value - low) / span * (HEIGHT - 2 * MARGIN))
        for place, value in enumerate(values)
    ]
    drawn = f"<path d='{_path(points)}' stroke-width='1.7'/>"
    if last := points[-1]:
        # A line of no length with a round cap stays round when the drawing is stretched.
        drawn += f"<path d='M{last[0]:.1f} {last[1]:.1f}h0' stroke-width='5' stroke-linecap='round'/>"
    return _masked("spark", drawn, WIDTH, HEIGHT)


def sample(colour: str, dashes: Sequence[int]) -> str:
    """A piece of a chart's line."""
    pattern = " ".join(map(str, dashes))
    return _masked("sample", f"<path d='M1 5h34' stroke-width='3' stroke-dasharray='{pattern}'/>", 36, 10, colour)


def _masked(name: str, drawn: str, width: int, height: int, colour: str = "") -> str:
    line = "fill='none' stroke='#000' stroke-linejoin='round' vector-effect='non-scaling-stroke'"
    drawing = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' preserveAspectRatio='none'>"
        f"{drawn.replace('<path', f'<path {line}')}</svg>"
    )
    background = f"background:{colour};" if colour else ""
    mask = f"url(&quot;data:image/svg+xml,{quote(drawing)}&quot;)"
    return f'<span class="{name}" aria-hidden="true" style="{background}--drawing:{mask}"></span>'


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    steps = []
    drawing = False
    for point in points:
        if point is not None:
            steps.append(f"{'L' if drawing else 'M'}{point[0]:.1f} {point[1]:.1f}")
        drawing = point is not None
    return "".join(steps)
