"""The agreed definitions behind the measures: what counts as new, engaged, lapsed, complete, a fit.

Every entry has a default so that a bare export is enough to start; each is replaceable in the settings
file under ``[definitions]``.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

LeadDay = Literal["mql_at", "accepted_at", "sql_at", "appointment_at"]
"""The days of a lead's way on which a department may count it as qualified."""

Share = Field(ge=0, le=1)


class CustomerProfile(BaseModel):
    """The ideal customer: a record fits when it meets every rule that is set (case does not matter)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    industries: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    personas: tuple[str, ...] = ()
    employees_from: int | None = None
    employees_to: int | None = None

    @property
    def is_set(self) -> bool:
        """Whether any rule is set."""
        return bool(self.industries or self.regions or self.personas or self.employees_from or self.employees_to)


class QualifiedRule(BaseModel):
    """What one department counts as qualified; what it leaves open is guessed, and said to be guessed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stages: tuple[str, ...] = Field((), description="An opportunity counts once it enters one of these stages.")
    lead: LeadDay | None = Field(None, description="A lead counts on this of its days.")
    score_from: float | None = Field(None, description="A lead with a lower score does not count.")


class Benchmark(BaseModel):
    """What others report for a measure: a band, or one figure where ``low`` and ``high`` are the same."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: float
    high: float
    unit: str = Field("", description="As the measure's own; money in the currency that is named.")
    currency: str = Field("", description="Of money; it is compared only where the data are in it.")
    dated: str = Field(description="When, such as 2012-13.")
    source: str
    note: str = ""


class Definitions(BaseModel):
    """What the measures mean by their words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sales: QualifiedRule = Field(QualifiedRule(), description="What Sales counts as qualified.")
    marketing: QualifiedRule = Field(QualifiedRule(), description="What Marketing counts as qualified.")
    shadow_is_marketing: bool = Field(
        True, description="Marketing paid from another department's budget counts as marketing."
    )
    tools_and_other_as: str | None = Field(
        None,
        pattern="^(program|people)$",
        description="Count tools and other spend as program or people; left out when unset.",
    )
    digital_channels: tuple[str, ...] = Field(
        (
            "email",
            "web",
            "website",
            "organic",
            "organic search",
            "organic_search",
            "paid",
            "paid search",
            "paid_search",
            "search",
            "social",
            "paid social",
            "organic social",
            "paid_social",
            "direct",
            "direct_traffic",
            "display",
            "content",
            "webinar",
            "referral",
            "influencer",
            "blog",
            "seo",
            "sem",
            "ppc",
        ),
        description="Channels that count as digital.",
    )
    no_decision: tuple[str, ...] = Field(
        (
            "no decision",
            "no-decision",
            "nodecision",
            "no_decision",
            "stalled",
            "no budget decision",
            "timing / no decision",
        ),
        description="Lost reasons that mean the customer decided nothing.",
    )
    high_margin_from: float = Field(
        0.6, ge=0, le=1, description="Gross margin share from which a product is high-margin."
    )
    new_product_months: int = Field(12, ge=1, description="Months after its launch for which a product is new.")
    lapsed_after_days: int = Field(
        365, ge=1, description="Without a churn date, days without an order after which a customer has lapsed."
    )
    engaged_within_days: int = Field(
        90, ge=1, description="A customer with a two-way touch in this many days is engaged."
    )
    active_within_days: int = Field(
        14, ge=1, description="An open opportunity with a next step or an activity in this many days is being worked."
    )
    advance_within_days: int = Field(
        14, ge=1, description="A meeting counts as valuable when the stage advances within this many days."
    )
    silent_after_days: int = Field(180, ge=1, description="A lead without activity for longer has left the funnel.")
    archive_after_days: int = Field(
        90,
        ge=1,
        description="An active lead without activity for longer, and with a low score, is suggested for the archive.",
    )
    archive_below_score: float = Field(40.0, description="Score below which a quiet lead is suggested for the archive.")
    hours_per_day: float = Field(8.0, gt=0, le=24, description="Working hours of a full-time day.")
    loaded_hourly_cost: float = Field(
        0.0,
        ge=0,
        description="Cost of an hour of selling time, added to acquisition cost; 0: it is in the spend.",
    )
    discount_rate: float = Field(
        0.10, ge=0, le=1, description="Yearly rate at which future customer profit is discounted."
    )
    buying_group: int = Field(4, ge=1, description="People at an account who take part in a purchase.")
    required_fields: dict[str, float] = Field(
        default_factory=lambda: {
            "account_id": 1,
            "title": 1,
            "persona": 1,
            "industry": 1,
            "employees": 1,
            "country": 1,
            "channel": 1,
            "score": 1,
        },
        description="Lead fields that sales needs at hand-off, and their weights.",
    )
    ideal_customer: CustomerProfile = Field(
        default_factory=CustomerProfile, description="The agreed profile; learned from earlier outcomes when unset."
    )
    benchmarks: dict[str, Benchmark] = Field(
        default_factory=dict, description="Benchmarks by measure, instead of the published ones."
    )
    size_bands: tuple[float, ...] = Field(
        (1_000, 10_000, 50_000, 250_000), description="Lower bounds of the deal-size bands above the smallest."
    )
    growth_weights: dict[str, float] = Field(
        default_factory=lambda: {
            "won_revenue": 1,
            "marketing_qualified_leads": 1,
            "mql_to_sql_rate": 1,
            "visit_to_lead_rate": 1,
            "bounce_rate": 1,
            "email_click_to_open_rate": 1,
            "social_engagement": 1,
            "cost_per_lead": 1,
        },
        description="Measures in the combined growth and their weights.",
    )
    flat_band: float = Field(0.02, ge=0, le=1, description="Combined growth within this of zero is flat.")
    computed_share: float = Field(
        0.5, ge=0, le=1, description="Weight of the computed items in a scorecard index; the rest is the questionnaire."
    )
    lead_sla_days: int = Field(2, ge=0, description="Days within which sales should act on a qualified lead.")
    mql_definition_agreed: bool = Field(
        False, description="Sales and marketing have agreed on one definition of a qualified lead."
    )
