"""Email and social posts: opened, clicked, engaged with."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from kpis.measures.core.known import Known
from kpis.measures.core.quantity import Quantity, attempt
from kpis.measures.core.rows import Rows
from kpis.measures.core.samples import Share
from kpis.measures.core.tables import shared
from kpis.measures.core.totals import Count
from kpis.measures.registry import measure

NOTHING_SENT = "nothing was sent in this period"


@shared
def _mailings(known: Known) -> Rows:
    """Mailings with whole-number columns; ``delivered`` is sent less bounced where it is not recorded."""
    number = {
        name: nw.col(name).fill_null(0)
        for name in ("sent", "bounced", "unique_opens", "unique_clicks", "machine_opens")
    }
    rows = known.rows("emails", "sent_at").also(
        reached=nw.coalesce(nw.col("delivered"), nw.col("sent") - nw.col("bounced").fill_null(0))
    )
    return rows.also(**number).also(human_opens=nw.col("unique_opens") - nw.col("machine_opens"))


@measure({"MKTG-13": "Email open rate"}, kind="ratio", basis="flow", better="higher")
def email_open_rate(known: Known) -> dict[str, Quantity]:
    """Share of the emails sent that were opened.

    Definition: Recipients who opened, over all it was sent to (the article's rate); beside it over those it was
        delivered to (the field's usual rate), and the latter without the opens that a privacy proxy made, where they
        are counted.
    Formula: unique opens ÷ sent; standard: unique opens ÷ delivered (sent − bounced)
    Unit: share
    Needs: emails.sent_at, emails.sent, emails.unique_opens
    Source: MKTG-13, 30 KPIs for marketing managers
    """
    rows = _mailings(known)
    return {
        "opened_of_sent": Share(rows, "unique_opens", "sent", NOTHING_SENT),
        "opened_of_delivered": Share(rows, "unique_opens", "reached", NOTHING_SENT),
        "opened_by_people_of_delivered": attempt(lambda: _by_people(known, rows)),
        "by_variant": attempt(lambda: _by_variant(known, rows, "unique_opens", "sent")),
        "sent": Count(rows, "sent"),
    }


def _by_people(known: Known, rows: Rows) -> Quantity:
    known.need("emails", "machine_opens")
    return Share(rows, "human_opens", "reached", NOTHING_SENT)


def _by_variant(known: Known, rows: Rows, part: str, whole: str) -> Quantity:
    known.need("emails", "variant")
    return Share(rows.by("variant"), part, whole, NOTHING_SENT)


@measure({"MKTG-14": "Email click-to-open"}, kind="ratio", basis="flow", better="higher")
def email_click_to_open_rate(known: Known) -> dict[str, Quantity]:
    """Share of the opened emails that were clicked.

    Definition: Recipients who clicked, over those who opened; beside it over those it was delivered to; and by
        variant of a test (A against B).
    Formula: CTOR = unique clicks ÷ unique opens; CTR = unique clicks ÷ delivered
    Unit: share
    Needs: emails.sent_at, emails.unique_opens, emails.unique_clicks
    Source: MKTG-14, 30 KPIs for marketing managers
    """
    rows, unopened = _mailings(known), "nothing was opened in this period"
    return {
        "clicked_of_opened": Share(rows, "unique_clicks", "unique_opens", unopened),
        "clicked_of_delivered": Share(rows, "unique_clicks", "reached", NOTHING_SENT),
        "by_variant": attempt(lambda: _by_variant(known, rows, "unique_clicks", "unique_opens")),
    }


@measure({"MKTG-10": "Social engagement"}, kind="ratio", basis="flow", better="higher")
def social_engagement(known: Known) -> dict[str, Quantity]:
    """Engagements for each time a post was shown.

    Definition: Reactions, comments, shares and clicks of the period over the impressions (over the people reached
        where no impressions are recorded); the volume beside it, and the rate by network.
    Formula: (reactions + comments + shares + clicks) ÷ impressions (or reach)
    Unit: share
    Needs: social.date, social.impressions; or social.date, social.reach
    Source: MKTG-10, 30 KPIs for marketing managers
    """
    shown = "impressions" if known.has("social", "impressions") else "reach"
    kinds = [nw.col(name).fill_null(0) for name in ("reactions", "comments", "shares", "clicks")]
    rows = known.rows("social", "date").also(
        engagements=kinds[0] + kinds[1] + kinds[2] + kinds[3],
        shown=nw.col(shown).fill_null(0),
        people=nw.col("reach").fill_null(0),
    )
    nothing = "nothing was shown in this period"
    return {
        "engagement_rate": Share(rows, "engagements", "shown", nothing),
        "by_network": Share(rows.by("network"), "engagements", "shown", nothing),
        "engagements": Count(rows, "engagements"),
        "engagement_by_reach": attempt(lambda: _by_reach(known, rows)),
    }


def _by_reach(known: Known, rows: Rows) -> Quantity:
    known.need("social", "reach")
    return Share(rows, "engagements", "people", "nobody was reached in this period")
