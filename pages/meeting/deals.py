"""What could keep the deals from coming through, and who can help? The page of deals at risk."""

import streamlit as st

from kpis.answers.explain import crm_bridge
from kpis.answers.health import deal_health
from kpis.answers.pipeline import in_short
from kpis.charts.what_if import bridge
from ui import cards, columns, deals, levers, turns


@turns.fragment
def page() -> None:
    """The page's body: the levers in the sidebar, then the answer."""
    view = levers.view()
    answer, before = view.answers(deal_health)
    symbol = view.symbol

    cards.headline(answer, before, view.moved, view.outlook.currency, in_short(view.outlook))
    cards.numbers(answer, before, answer.numbers, view.outlook.currency)
    cards.table(
        "What could go wrong?", answer.tables["risks"], "risks", columns.risks(symbol),
        says="Each risk flag with the deals that carry it and the money at risk",
        caption=cards.small("A deal with several flags counts under each of them."),
    )  # fmt: skip
    unknown = answer.tables["unknown"]
    if len(unknown):
        said = "; ".join(f"{row.flag}: needs {row.needs}" for row in unknown.itertuples())
        st.markdown(cards.small(cards.plain(f"Not known: {said}.")))

    helps = deals.proposal(view)
    st.header(cards.plain(helps.question), anchor=False)
    st.markdown(cards.plain(helps.sentence))
    deals.assist_list(view, helps)

    crm, _ = view.answers(crm_bridge)
    st.header(cards.plain(crm.question), anchor=False)
    st.markdown(cards.plain(crm.sentence))
    if "bridge" in crm.tables:
        steps = crm.tables["bridge"]
        first, last = steps.iloc[0], steps.iloc[-1]
        between = steps.iloc[1:-1].rename(columns={"step": "assumption", "amount": "share"})
        title = f"Expected in {view.outlook.landings[0].label}"
        cards.chart(
            "From the CRM's promise to this forecast",
            bridge(between, (first["step"], last["step"]), (first["amount"], last["amount"]), symbol, title),
            steps, "crm_bridge", says="What lies between the CRM's weighted amount and this forecast, step by step",
        )  # fmt: skip
    cards.table(
        "What is each stage worth?", crm.tables["stages"], "crm_stages", columns.stages_against_crm(symbol),
        says="The CRM's percentage of each stage beside the company's own past",
    )  # fmt: skip
    cards.notes(answer)
    st.page_link(
        "pages/meeting/coverage.py",
        label="Next: enough for the next two periods?",
        icon=":material/arrow_forward:",
    )


page()
