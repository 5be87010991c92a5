"""The pack as slides: one a question, with charts and tables that can be edited, and the definitions in the notes."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import pandas as pd
from pptx import Presentation
from pptx.chart.chart import Chart
from pptx.chart.data import CategoryChartData
from pptx.chart.series import BarSeries
from pptx.dml.color import RGBColor
from pptx.enum.chart import XL_CHART_TYPE, XL_LEGEND_POSITION
from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
from pptx.slide import Slide
from pptx.table import Table
from pptx.text.text import TextFrame
from pptx.util import Emu, Inches, Pt

from kpis.answers.render import say
from kpis.answers.words import symbol
from kpis.report import drawing
from kpis.report.pack import TITLE, Pack
from kpis.report.section import Bars, Section
from kpis.report.steady import steady

TITLE_ONLY = 5
"""Layout of python-pptx's own template."""

ROWS = 7
"""Rows of a table on a slide; the workbook has all of them."""

LIGHT = ("not yet created",)
"""Meanings whose colour carries dark text."""

FITS = 0.15
"""Share of the longest bar that has room for its figure."""

WIDTH, HEIGHT = Inches(13.333), Inches(7.5)
LEFT, TOP, INNER, LOW = Inches(0.6), Inches(2.15), Inches(12.13), Inches(4.6)
HALF, BESIDE = Inches(7.5), Inches(8.4)
MAPS = (LEFT, Inches(6.9))
"""Where heat maps begin, beside each other."""

SHADES = (0.06, 0.5)
"""How strong the colour of an empty and of the fullest cell of a heat map is, as on the pages."""


def pptx(pack: Pack) -> bytes:
    """The pack as a PowerPoint file."""
    deck = Presentation()
    deck.slide_width, deck.slide_height = WIDTH, HEIGHT
    properties = deck.core_properties
    properties.title, properties.subject, properties.author = TITLE, pack.subject, ""
    first = _slide(deck, TITLE, pack.headline, pack.subject)
    rows = [[s.answer.question, s.answer.sentence] for s in pack.sections[1:]]
    _table(first, ["Question", "Answer"], rows, (LEFT, TOP, INNER), widths=(1, 3))
    for section in pack.sections:
        _question(deck, section, pack)
    last = _slide(deck, "What does it rest on?", "Data, method, targets and assumptions", pack.subject)
    _table(last, ["What", "In words"], [list(fact) for fact in pack.facts], (LEFT, Inches(1.6), INNER), widths=(1, 6))
    buffer = BytesIO()
    deck.save(buffer)
    return steady(buffer.getvalue(), pack.as_of)


def _question(deck: Presentation, section: Section, pack: Pack) -> None:
    """A slide: the sentence as its title, a chart, the numbers beside it, else a table; definitions in the notes."""
    currency, answer = pack.found.currency, section.answer
    slide = _slide(deck, answer.question, answer.sentence, pack.subject)
    bars = next((figure.bars for figure in section.figures if figure.bars is not None), None)
    if bars is not None:
        _chart(slide, bars, symbol(currency))
    maps = [(figure.title, figure.grid) for figure in section.figures if figure.grid is not None]
    for (title, counts), left in zip(maps, MAPS, strict=False):
        _map(slide, title, counts, left)
    place = (BESIDE, TOP, LEFT + INNER - BESIDE) if bars is not None else (LEFT, TOP, INNER)
    listings = [listing for listing in section.listings if listing.says]
    if section.cards and (bars is not None or not (listings or maps)):
        rows = [[n.label, "n/a" if n.value is None else say(n, currency)] for n in section.cards]
        _table(slide, ["Number", "Value"], rows, place, widths=(3, 2), right=(False, True))
    elif listings:
        chosen = listings[-1]
        rows = list(chosen.rows(currency, ROWS))
        longest = [max(map(len, column)) for column in zip(chosen.headings, *rows, strict=True)]
        widths = [min(max(n, 14), 60) for n in longest]
        _table(slide, chosen.headings, rows, place, widths=widths, right=chosen.figures)
    words = [f"{n.label}: {n.help}" if n.value is not None else f"{n.label}: n/a, {n.reason}" for n in section.cards]
    slide.notes_slide.notes_text_frame.text = "\n".join(
        [answer.question, answer.sentence, "", *words, "", *answer.notes]
    )


def _slide(deck: Presentation, question: str, sentence: str, subject: str) -> Slide:
    """A slide with the question in small, its answer as the title, and whose it is at the foot."""
    slide = deck.slides.add_slide(deck.slide_layouts[TITLE_ONLY])
    title = slide.shapes.title
    title.left, title.top, title.width, title.height = LEFT, Inches(0.7), INNER, Inches(1.3)
    frame = title.text_frame
    frame.text, frame.word_wrap, frame.vertical_anchor = sentence, True, MSO_ANCHOR.TOP
    _written(frame, 26 if len(sentence) < 110 else 20 if len(sentence) < 200 else 16, bold=True)
    _line(slide, question, (LEFT, Inches(0.3), INNER), 14)
    _line(slide, subject, (LEFT, Inches(7.0), INNER), 10)
    return slide


def _line(slide: Slide, text: str, place: tuple[int, int, int], size: int) -> None:
    """A line of text in grey, at a place with its width."""
    box = slide.shapes.add_textbox(*place, Inches(0.35)).text_frame
    box.text, box.word_wrap = text, True
    _written(box, size, colour="grayTextColor")


def _written(
    frame: TextFrame, size: int, *, colour: str = "textColor", bold: bool = False, right: bool = False
) -> None:
    """The look of all text of a frame."""
    frame.margin_left = frame.margin_right = Emu(45720)
    for paragraph in frame.paragraphs:
        paragraph.font.size, paragraph.font.bold = Pt(size), bold
        paragraph.font.color.rgb = _rgb(drawing.palette()[colour])
        paragraph.alignment = PP_ALIGN.RIGHT if right else PP_ALIGN.LEFT


def _rgb(colour: str) -> RGBColor:
    return RGBColor.from_string(colour.removeprefix("#"))


def _table(
    slide: Slide,
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    place: tuple[int, int, int],
    *,
    widths: Sequence[int],
    right: Sequence[bool] = (),
) -> Table:
    """A table of texts; columns share the width as ``widths`` says."""
    left, top, width = place
    shape = slide.shapes.add_table(len(rows) + 1, len(headings), left, top, width, Inches(0.3) * (len(rows) + 1))
    # Without the template's bands of blue: the words are what is to be seen.
    shape._element.graphic.graphicData.tbl[0][-1].text = "{2D5ABB26-0587-4C30-8999-92F81FD0307C}"  # noqa: SLF001
    is_long, is_list = len(rows) > ROWS, len(headings) == 2 and width < HALF
    table, size = shape.table, 10 if is_long else 14 if is_list else 11
    for column, share in zip(table.columns, widths, strict=True):
        column.width = Emu(int(width * share / sum(widths)))
    for r, row in enumerate([headings, *rows]):
        for c, value in enumerate(row):
            cell = table.cell(r, c)
            cell.text = value
            cell.margin_top = cell.margin_bottom = Emu(30000)
            colour = "grayTextColor" if r == 0 else "textColor"
            _written(cell.text_frame, size, colour=colour, bold=r == 0, right=bool(right) and right[c])
    return table


def _map(slide: Slide, title: str, counts: pd.DataFrame, left: int) -> None:
    """A heat map as a table whose cells are the fuller the stronger their colour."""
    width = LEFT + INNER - MAPS[-1]
    _line(slide, f"{title}: months from creation to close", (left, TOP, width), 12)
    rows = [[str(name), *(f"{n:,.0f}" for n in line)] for name, *line in counts.itertuples()]
    headings, place = ["Created in", *map(str, counts.columns)], (left, TOP + Inches(0.35), width)
    is_count = [name != headings[0] for name in headings]
    table = _table(slide, headings, rows, place, widths=[1 if n else 2 for n in is_count], right=is_count)
    low, high = SHADES
    for r, line in enumerate(counts.to_numpy() / counts.to_numpy().max(), 1):
        for c, fullness in enumerate(line, 1):
            fill = table.cell(r, c).fill
            fill.solid()
            fill.fore_color.rgb = _shade(low + (high - low) * fullness)


def _shade(strength: float) -> RGBColor:
    """The colour of open deals, so strong, on the ground of a slide."""
    ground, full = (_rgb(colour) for colour in (drawing.palette()["backgroundColor"], drawing.colour("open")))
    return RGBColor(*(round(g + (f - g) * strength) for g, f in zip(ground, full, strict=True)))


def _chart(slide: Slide, bars: Bars, sign: str) -> None:
    """Stacked bars over a sheet of their own."""
    # The first of lying bars stands at the bottom.
    table = bars.table if bars.upright else bars.table[::-1]
    data = CategoryChartData(number_format=_format(bars, sign))
    data.categories = [str(name) for name in table.index]
    for name, column in table.items():
        data.add_series(str(name), [float(value) or None for value in column])
    kind = XL_CHART_TYPE.COLUMN_STACKED if bars.upright else XL_CHART_TYPE.BAR_STACKED
    chart = slide.shapes.add_chart(kind, LEFT, TOP, HALF, LOW, data).chart
    _styled(chart, bars, sign)


def _styled(chart: Chart, bars: Bars, sign: str) -> None:
    plot, form = chart.plots[0], _format(bars, sign)
    plot.gap_width, plot.overlap = 45, 100
    chart.font.size, chart.font.color.rgb = Pt(11), _rgb(drawing.palette()["textColor"])
    # Bars that are lifted are told by their names.
    chart.has_title, chart.has_legend = False, None not in bars.meanings
    if chart.has_legend:
        chart.legend.position, chart.legend.include_in_layout = XL_LEGEND_POSITION.BOTTOM, False
    line = _rgb(drawing.palette()["borderColor"])
    chart.value_axis.tick_labels.number_format, chart.value_axis.tick_labels.number_format_is_linked = form, False
    chart.value_axis.major_gridlines.format.line.color.rgb = chart.value_axis.format.line.color.rgb = line
    chart.category_axis.format.line.color.rgb, chart.category_axis.has_major_gridlines = line, False
    for series, meaning in zip(plot.series, bars.meanings, strict=True):
        if meaning is None:
            series.format.fill.background()
            continue
        series.format.fill.solid()
        series.format.fill.fore_color.rgb = _rgb(drawing.colour(meaning))
        if not bars.upright:
            _labelled(series, meaning, float(bars.table.sum(axis=1).max()))


def _labelled(series: BarSeries, meaning: str, longest: float) -> None:
    """The amounts on the bars, in a colour that can be read on them or, where they do not fit, beside them."""
    outside = _rgb(drawing.palette()["textColor"])
    series.data_labels.show_value = True
    series.data_labels.font.color.rgb = outside if meaning in LIGHT else _rgb(drawing.palette()["backgroundColor"])
    for n, value in enumerate(series.values):
        if value is not None and value < FITS * longest:
            series.points[n].data_label.font.color.rgb = outside


def _format(bars: Bars, sign: str) -> str:
    """How an office program writes the figures: short, as on screen."""
    if bars.unit == "share":
        return "0%"
    if bars.unit == "count":
        return "#,##0"
    quoted = f'"{sign}"' if sign else ""
    return f'[>=999500]{quoted}0.00,," M";[>=999.5]{quoted}0," k";{quoted}0'
