"""What if? Scenarios side by side, what would reach the target, and which lever matters most."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from kpis.answers.compare import MOST_SCENARIOS, compare
from kpis.answers.pipeline import in_short
from kpis.answers.what_if import Variation, goal_seek, tornado, two_levers
from kpis.charts.what_if import bridge, pairs, side_by_side, swings
from kpis.errors import TandemError
from ui import cards, columns, levers, scenarios, turns

VIEWS = ("Compare scenarios", "What matters most", "What it takes", "Two levers")


@turns.fragment
def page() -> None:
    """The page's body: the levers in the sidebar, then one way to look at them."""
    view = levers.view()
    # The answer stands first on the page, and comes from what is chosen below it.
    head = st.container()
    chosen = st.segmented_control(
        "Look at", VIEWS, default=VIEWS[0], required=True, key="what_if", bind="query-params",
        label_visibility="collapsed",
    )  # fmt: skip
    try:
        if chosen == VIEWS[0]:
            side(view, head)
        else:
            variation = Variation(view.outlook, view.board, period(view))
            {VIEWS[1]: most, VIEWS[2]: takes, VIEWS[3]: together}[chosen](view, variation, head)
    except TandemError as error:
        cards.problem(error)
    st.page_link(
        "pages/meeting/track_record.py", label="Next: how good has this forecast been?", icon=":material/arrow_forward:"
    )


def side(view: levers.View, head: DeltaGenerator) -> None:
    """Scenarios side by side, and the bridge between two of them."""
    saved = scenarios.saved()
    names = scenarios.chosen(saved)
    if not 2 <= len(names) <= MOST_SCENARIOS:
        st.markdown(f"Choose two to {MOST_SCENARIOS} scenarios to compare.")
        return
    known = {scenarios.ESTIMATED: view.baseline.outlook, scenarios.CURRENT: view.outlook}
    targets = view.outlook.projection.assumptions.targets
    found = [
        known[name] if name in known else view.outlook.under(saved[name].model_copy(update={"targets": targets}))
        for name in names
    ]
    answer = compare(found, names)
    with head:
        cards.headline(answer, None, (), view.outlook.currency, in_short(view.outlook))
    cards.numbers(answer, answer, answer.numbers, view.outlook.currency)
    periods, shares = answer.tables["periods"], answer.tables["bridge"]
    if shares.empty:
        st.markdown("Move a lever in the sidebar, or choose a scenario you have saved, to see what it changes.")
    cards.chart(
        "Where would they land?", side_by_side(periods, view.symbol), periods, "side_by_side",
        says="Expected landing of each scenario and period, with its likely range and its target",
        caption="Line: 8 of 10 landings fall in it. Tick: the target.",
    )  # fmt: skip
    totals = [number.value for number in answer.numbers.values()]
    for k, name in enumerate(names[1:], 1):
        steps = shares[shares["scenario"] == name]
        if len(steps):
            cards.chart(
                cards.plain(f"Why does it differ: {name}?"),
                bridge(steps, (names[0], name), (totals[0], totals[k]), view.symbol), steps, f"bridge_{k}",
                says="From the expected landing of one scenario to the other's, a step for each changed assumption",
                caption="Each assumption's average effect over all orders of changing them.",
            )  # fmt: skip
    cards.table(
        "Every number", periods, "scenarios_table", columns.scenarios(view.symbol),
        says="Landing, range, target and chance of each scenario and period",
    )  # fmt: skip
    with st.container(border=True):
        st.subheader("Keep this scenario", anchor=False)
        scenarios.keep(view.outlook.projection.assumptions, view.board)
    cards.notes(answer)


def period(view: levers.View) -> int:
    """Which of the three periods is looked at."""
    labels = [landing.label for landing in view.outlook.landings]
    label = st.segmented_control("Period", labels, default=labels[0], required=True, key="what_if_period")
    return labels.index(label)


def most(view: levers.View, variation: Variation, head: DeltaGenerator) -> None:
    """Each lever over its own range."""
    with st.spinner("Moving each lever over its own range"):
        answer = tornado(variation)
    with head:
        cards.headline(answer, None, (), view.outlook.currency, in_short(view.outlook))
    table = answer.tables["swings"]
    cards.chart(
        "Which lever matters most?", swings(table, view.symbol), table, "swings",
        says="Change of the expected landing when each lever moves over the range it has had in the past",
        caption="From the 10 % to the 90 % point of the lever's own past.",
    )  # fmt: skip
    cards.notes(answer)


def takes(view: levers.View, variation: Variation, head: DeltaGenerator) -> None:
    """What each lever alone would have to be."""
    chance = st.segmented_control(
        "Wanted chance", (0.5, 0.8, 0.9), default=0.8, required=True, key="wanted", format_func="{:.0%}".format
    )
    with st.spinner("Seeking the value of each lever"):
        answer = goal_seek(variation, chance)
    with head:
        cards.headline(answer, None, (), view.outlook.currency, in_short(view.outlook))
    cards.table(
        "What would each lever have to be?", answer.tables["goals"], "goals", columns.GOALS,
        says="Each lever's estimate, the value that reaches the target, and its own past",
    )  # fmt: skip
    cards.notes(answer)


def together(view: levers.View, variation: Variation, head: DeltaGenerator) -> None:
    """The chance over the values of two levers."""
    board = {lever.label: lever for lever in view.board}
    left, right = st.columns(2)
    across = left.selectbox("Across", board, 0, key="across")
    down = right.selectbox("Down", [label for label in board if label != across], len(board) - 2, key="down")
    with st.spinner("Forecasting each pair of values"):
        answer = two_levers(variation, board[across], board[down])
    with head:
        cards.headline(answer, None, (), view.outlook.currency, in_short(view.outlook))
    table = answer.tables["map"]
    cards.chart(
        "How likely is the target?", pairs(table, across, down), table, "pairs",
        says="Chance to reach the target for each pair of values of the two levers",
    )  # fmt: skip
    cards.notes(answer)


page()
