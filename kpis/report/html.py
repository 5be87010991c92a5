"""The pack as one HTML file: nothing is fetched, charts answer the mouse, print and scripts switched off work too."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape
from markupsafe import Markup

from kpis.answers.render import say
from kpis.report import drawing
from kpis.report.pack import TITLE, Pack

ROWS = 15
"""Rows of a table on the page; the workbook has all of them."""

LIVE = """
const dark = matchMedia("(prefers-color-scheme: dark)");
function draw() {
  const config = JSON.parse(document.getElementById("looks").textContent)[dark.matches ? "dark" : "light"];
  for (const figure of document.querySelectorAll("figure")) {
    const spec = JSON.parse(figure.querySelector("script").textContent);
    vegaEmbed(figure.querySelector(".live"), {...spec, width: "container"}, {config, actions: false, renderer: "svg"})
      .then(() => figure.classList.add("drawn"));
  }
}
dark.addEventListener("change", draw);
draw();
"""
"""Replaces the still picture of each chart with one that shows exact values under the mouse."""


def html(pack: Pack) -> bytes:
    """The pack as one self-contained page."""
    page = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(default=True),
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("page.html")
    currency = pack.found.currency
    text = page.render(
        title=TITLE,
        pack=pack,
        currency=currency,
        rows=ROWS,
        say=lambda number: say(number, currency),
        still=lambda figure: Markup(drawing.svg(figure.chart)),  # noqa: S704 - Vega escapes its texts
        live=lambda figure: _data(drawing.spec(figure.chart)),
        looks=_data({mode: drawing.config(mode) for mode in ("light", "dark")}),
        light=drawing.palette("light"),
        dark=drawing.palette("dark"),
        fonts=", ".join(f"'{font}'" for font in drawing.FONTS),
        script=_script(),
    )
    return text.encode("utf-8")


def _data(value: Any) -> Markup:
    """JSON that can stand in a script element: no text in it can end the element."""
    escaped = json.dumps(value, ensure_ascii=False).replace("<", "\\u003c").replace("\u2028", "\\u2028")
    return Markup(escaped)  # noqa: S704 - nothing in it can be markup any more


@cache
def _script() -> Markup:
    """Vega with what draws the charts, in one script."""
    import vl_convert

    return Markup(vl_convert.javascript_bundle(LIVE, vl_version=drawing.VEGA_LITE))  # noqa: S704 - our own and Vega's
