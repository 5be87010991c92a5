"""Charts as pictures: the palette of the pages, and vector graphics of Vega-Lite charts."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import altair as alt

from kpis.charts.style import MEANINGS, Picture

THEME = Path(__file__).resolve().parents[2] / ".streamlit" / "config.toml"
"""The palette of the pages is that of the pack."""

VEGA_LITE = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
FONTS = ("Liberation Sans", "Arial", "Helvetica Neue", "Helvetica", "DejaVu Sans")
"""Sans-serif fonts of one width on Linux, Windows and macOS; the first that is there is used."""

WIDTH = 520
"""Pixels between the axes of a picture."""


@cache
def palette(mode: str = "light") -> dict[str, Any]:
    """Colours of the pages by name, light or dark."""
    return tomllib.loads(THEME.read_text(encoding="utf-8"))["theme"][mode]


def colour(meaning: str) -> str:
    """The colour that stands for a meaning, on a light ground."""
    return palette()["chartCategoricalColors"][MEANINGS.index(meaning)]


def config(mode: str) -> dict[str, Any]:
    """What a chart looks like, as Vega-Lite configures it."""
    colours = palette(mode)
    text, faint = colours["grayTextColor"], colours["borderColor"]
    axis = {
        "labelColor": text, "titleColor": text, "titleFontWeight": "normal", "labelFontSize": 12, "titleFontSize": 12,
        "gridColor": faint, "domainColor": faint, "tickColor": faint,
    }  # fmt: skip
    return {
        "background": None,
        "font": ", ".join(FONTS),
        "range": {"category": colours["chartCategoricalColors"]},
        "axis": axis,
        "legend": {"labelColor": text, "labelFontSize": 12},
        "view": {"stroke": None},
    }


def spec(chart: Picture) -> dict[str, Any]:
    """The chart with its rows, without a look or a width of its own."""
    drawn = chart.to_dict()
    drawn.pop("config", None)
    return drawn


def svg(chart: Picture, mode: str = "light") -> str:
    """The chart as a vector graphic."""
    import vl_convert

    return vl_convert.vegalite_to_svg({**spec(chart), "width": WIDTH, "config": config(mode)}, vl_version=VEGA_LITE)
