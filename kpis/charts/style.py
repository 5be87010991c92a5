"""What every chart shares: what a colour means, how money is written, where labels stand.

Colours are the theme's categories in a fixed order, so a chart names a meaning and never a colour; light,
dark and exported charts differ by their theme only. Whatever changes with a lever (a target, a range, the
room for a label) is a column of the data: a page can then swap the rows of a chart that it shows instead
of drawing a new one. For the same reason a chart's layers are built once a currency and kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, wraps
from typing import Any

import altair as alt
import pandas as pd

PARTS = ("won", "open", "not yet created")
"""What a landing is made of, in the order it is stacked."""

MEANINGS = (*PARTS, "target", "warning", "sixth", "seventh", "past")
"""What the theme's categories stand for, in their order; ``target`` is the colour of text."""

ROOM = 1.4
"""How far an axis reaches beyond the longest mark, so that the label at its end fits in a narrow column."""

FONT_SIZE = 13
LABEL_LIMIT = 220
_SCALE = alt.Scale(domain=list(MEANINGS))


@dataclass(frozen=True, eq=False)
class Template:
    """A chart's layers over rows that come later: drawn once, since drawing and translating take 20 ms each."""

    layers: alt.TopLevelMixin

    @cached_property
    def spec(self) -> dict[str, Any]:
        """The layers as Vega-Lite over the data named ``rows``, without a look of their own."""
        bare = self.layers.copy(deep=False)
        bare.data = alt.NamedData("rows")
        return {key: part for key, part in bare.to_dict().items() if key not in ("config", "$schema")}

    def filled(self, data: pd.DataFrame, height: int) -> Picture:
        """The chart with its rows, so many pixels high."""
        return Picture(self, data, height)


@dataclass(frozen=True, eq=False)
class Picture:
    """A chart with its rows. Nothing is copied or drawn again for new rows, so it costs a moved slider nothing."""

    template: Template
    data: pd.DataFrame
    height: int

    def live(self) -> dict[str, Any]:
        """The chart as a page takes it: rows beside the layers, to be swapped alone."""
        return {**self.template.spec, "height": self.height, "datasets": {"rows": self.data}}

    def to_dict(self, **options: Any) -> dict[str, Any]:
        """The whole chart as Vega-Lite, its rows within."""
        return self.template.layers.properties(data=self.data, height=self.height).to_dict(**options)


def template(draw: Callable[..., alt.LayerChart]) -> Callable[..., Template]:
    """Draw a chart's layers once for each set of arguments."""
    return cache(wraps(draw)(lambda *arguments: Template(draw(*arguments))))


def coloured(field: str, *, legend: bool = False) -> alt.Color:
    """The colour of the meaning that stands in ``field``; with a legend of the parts above the chart."""
    shown = alt.Legend(title=None, orient="top", values=list(PARTS), symbolType="square") if legend else None
    return alt.Color(f"{field}:N", scale=_SCALE, legend=shown)


def tinted(chart: alt.Chart, meaning: str) -> alt.Chart:
    """The chart's marks in the one colour of a meaning."""
    return chart.transform_calculate(meaning=f"'{meaning}'").encode(color=coloured("meaning"))


def label(base: alt.Chart, text: str, *, meaning: str = "target", **style: object) -> alt.Chart:
    """Text beside a mark: a Vega expression, in the colour of text unless it belongs to a mark of another meaning."""
    placed = {"fontSize": FONT_SIZE, "align": "left", "baseline": "middle", "dx": 6, **style}
    return tinted(base.transform_calculate(label=text).mark_text(**placed).encode(text="label:N"), meaning)


def room() -> alt.Chart:
    """An invisible mark that stretches the horizontal axis to the column ``room``."""
    return alt.Chart().mark_point(opacity=0).encode(x="room:Q")


def money(value: str, symbol: str) -> str:
    """Vega expression that writes the amount of another one with three figures: ``$4.03 M``."""
    size = f"abs({value}) < 1000 ? format(abs({value}), '.0f') : {_spoken(f'abs({value})', '.3s')}"
    return f"({value} < 0 ? '-{symbol}' : '{symbol}') + ({size})"


def money_axis(title: str, symbol: str) -> alt.Axis:
    """An axis of amounts with short labels: ``$4 M``, ``-$200 k``."""
    sign = f"(datum.value < 0 ? '-{symbol}' : '{symbol}')"
    return alt.Axis(title=title, labelExpr=f"{sign} + {_spoken('abs(datum.value)', '~s')}", tickCount=5)


def _spoken(value: str, form: str) -> str:
    """Vega expression with k, M and bn as people write them, instead of k, M and G stuck to the figures."""
    short = f"format({value}, '{form}')"
    for sign, word in (("G", "bn"), ("M", "M"), ("k", "k")):
        short = f"replace({short}, '{sign}', ' {word}')"
    return short


def names() -> alt.Axis:
    """An axis of names: in full, and without a title, since the names say what they are."""
    return alt.Axis(title=None, labelLimit=LABEL_LIMIT, labelFontSize=FONT_SIZE, labelPadding=8)


def percent(value: str) -> str:
    """Vega expression that writes a share as ``62 %``; it is 0 % or 100 % only where it is exactly that."""
    near = f"{value} > 0 && {value} < 0.005 ? 'under 1' : {value} < 1 && {value} > 0.995 ? 'over 99' : "
    return f"({near} format(100 * {value}, '.0f')) + ' %'"


def exact(field: str, title: str, form: str = ",.2f") -> alt.Tooltip:
    """The exact value, for the hover."""
    return alt.Tooltip(f"{field}:Q", title=title, format=form)


def named(field: str, title: str) -> alt.Tooltip:
    """A name, for the hover."""
    return alt.Tooltip(f"{field}:N", title=title)
