"""Names: every header that is known, and the fields intake reads besides those of the dictionary."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from kpis import schema
from kpis.intake.words import plain
from kpis.schema import Column, Table

TABLES: dict[str, Table] = schema.TABLES | {
    t.name: t
    for t in (
        Table(
            "web_traffic",
            "one row a day, channel, page or search query, as web analytics count them",
            (),
            (
                Column("date", "date", "the day", ("Day",)),
                Column("channel", "category", "how visitors came"),
                Column("page", "category", "the page"),
                Column("query", "category", "what was searched for"),
                Column("sessions", "count", "visits"),
                Column("users", "count", "visitors"),
                Column("new_users", "count", "visitors who came for the first time"),
                Column("views", "count", "pages seen"),
                Column("events", "count", "events of any kind"),
                Column("key_events", "number", "events that count as conversions"),
                Column("clicks", "count", "clicks on search results"),
                Column("impressions", "count", "times shown in search results"),
                Column("click_rate", "share", "clicks a time shown"),
                Column("position", "number", "mean position in search results"),
            ),
            "date",
        ),
        Table(
            "rates",
            "one row a currency and day from which its rate holds",
            ("currency", "date"),
            (
                Column("date", "date", "the day from which it holds", ("Start Date", "Valid From", "Day"), True),
                Column("currency", "category", "the currency, as a three-letter code", ("Code", "Currency Code"), True),
                Column("rate", "number", "what one unit is worth in the reporting currency", ("Exchange Rate",)),
                Column("per_unit", "number", "units that one of the reporting currency buys", ("Conversion Rate",)),
            ),
            aliases=("exchange_rates", "fx"),
        ),
    )
}
"""The tables of the dictionary, and those that only intake knows: traffic counts, which are kept though no
measure uses them yet, and rates, which convert money."""

INTAKE_ONLY: dict[str, tuple[Column, ...]] = {
    "opportunities": (
        Column("close_date", "plan_date", "when it closed, or is expected to while it is open",
               ("Close Date", "CloseDate", "Closing Date", "Closedate", "property_closedate", "Deal Close Date", "End Date", "Schlusstermin", "Abschlussdatum", "Date de clôture", "Fecha de cierre")),
        Column("won_at", "date", "when it was won", ("Deal - Won time", "Won time", "won_date", "Won Date", "Date Won")),
        Column("lost_at", "date", "when it was lost", ("Deal - Lost time", "Lost time", "lost_date", "Lost Date", "Date Lost")),
        Column("is_closed", "flag", "1 when it is closed", ("IsClosed", "Closed")),
        Column("is_won", "flag", "1 when it is won", ("IsWon", "Won", "property_hs_is_closed_won", "Is Closed Won")),
        Column("is_deleted", "flag", "1 when the row is in the bin", ("IsDeleted", "_fivetran_deleted")),
        Column("modified_at", "date", "when the row was last changed",
               ("LastModifiedDate", "Last Modified Date", "SystemModstamp", "(Do Not Modify) Modified On", "Modified On", "Update time", "Deal - Update time",
                "Modified Time", "Last Modified Time", "updated_at")),
        Column("stage_since", "date", "when it entered its stage",
               ("LastStageChangeDate", "Last Stage Change Date", "Deal - Last stage change", "Stage Modified Time", "stage_entered_at")),
        Column("stage_position", "count", "place of its stage in the process", ("StageSortOrder",)),
        Column("status_reason", "category", "why it has its status", ("Status Reason", "statuscode")),
        Column("account_name", "text", "name of the company it is with", ("Account Name", "Deal - Organization", "Associated Company", "Potential Customer", "Company Name", "Accountname", "Nom du compte", "Nombre de la cuenta")),
        Column("closed_amount", "money", "what it was closed at", ("Actual Revenue", "Closed Amount")),
        Column("pipeline", "category", "the pipeline it runs in", ("Pipeline", "Deal - Pipeline", "Sales Pipeline", "deal_pipeline_id")),
        Column("snapshot_at", "plan_date", "the day the row was written down", ("Snapshot Date", "As Of", "As Of Date", "Export Date", "Report Date")),
    ),
    "opportunity_history": (
        Column("is_deleted", "flag", "1 when the row is in the bin", ("IsDeleted",)),
        Column("from_stage", "category", "stage before the change", ("From Stage", "FromOpportunityStageName")),
        Column("changed_field", "category", "which field changed", ("Field / Event", "Field", "Field/Event")),
        Column("old_value", "text", "its value before", ("Old Value",)),
        Column("new_value", "text", "its value after", ("New Value",)),
        Column("opened_at", "date", "when the opportunity was created"),
        Column("name", "text", "name of the opportunity"),
        Column("account_name", "text", "name of the company it is with"),
        Column("current_stage", "category", "stage when the file was written"),
        Column("current_amount", "money", "amount when the file was written"),
        Column("current_close", "plan_date", "close date when the file was written"),
        Column("current_owner", "category", "owner when the file was written"),
        Column("old_stage", "category", "stage before the change"),
        Column("old_amount", "money", "amount before the change"),
        Column("old_expected_close", "plan_date", "expected close before the change"),
        Column("old_forecast_category", "category", "forecast category before the change"),
        Column("old_probability", "share", "probability before the change"),
        Column("old_owner", "category", "owner before the change"),
    ),
    "stages": (
        Column("stage_id", "id", "what other tables call the stage by", ("Stage ID", "deal_stage_id")),
        Column("is_closed", "flag", "1 when it is the end of the way", ("IsClosed",)),
    ),
    "leads": (
        Column("is_deleted", "flag", "1 when the row is in the bin", ("IsDeleted", "_fivetran_deleted")),
    ),
    "accounts": (
        Column("is_deleted", "flag", "1 when the row is in the bin", ("IsDeleted", "_fivetran_deleted")),
    ),
    "spend": (
        Column("campaign", "text", "name of the campaign", ("Campaign", "Campaign name", "campaign_name")),
        Column("currency", "category", "currency of the amount, as a three-letter code", ("Currency code", "Currency")),
    ),
}  # fmt: skip
"""Fields that shape other fields at intake and are stored nowhere."""

SUBSTANCE: dict[str, tuple[tuple[str, ...], ...]] = {
    "opportunities": (("stage", "status", "is_won", "won_at", "lost_at", "amount", "is_closed"),),
    "opportunity_history": (("stage", "amount", "expected_close", "new_value"),),
    "accounts": (("name", "industry", "employees", "region"),),
    "contacts": (("account_id", "role", "is_decision_maker"),),
    "owners": (("name", "team", "region"),),
    "products": (("name", "category", "list_price", "margin_share"),),
    "campaigns": (("name", "channel", "type", "start", "budget"),),
    "activities": (("type", "opportunity_id", "account_id", "lead_id", "duration_minutes"),),
    "web_traffic": (
        ("channel", "page", "query"),
        ("sessions", "users", "new_users", "views", "key_events", "clicks", "impressions"),
    ),
    "rates": (("rate", "per_unit"),),
    "stages": (("position", "is_won", "is_qualified", "default_probability"),),
}
"""A table must bring at least one of each group besides its key, or it is only a list of links."""

VALUES: dict[tuple[str, str], frozenset[str]] = {
    ("spend", "category"): frozenset({"program", "people", "tools", "other"}),
    ("spend", "purpose"): frozenset({"acquire", "nurture", "retain"}),
    ("spend", "department"): frozenset({"sales", "marketing"}),
    ("headcount", "department"): frozenset({"sales", "marketing"}),
    ("content_events", "event"): frozenset({"view", "download", "sales_use", "sales use"}),
}
"""Fields whose words are fixed: other words mean another column."""

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_UNIT = re.compile(r"\((?:%|[a-z]{3}|in utc|utc|converted|[$€£])\)|[,:]?\s*(?:%|[$€£])\s*$", re.IGNORECASE)
OWN_WORDS = {
    "opportunities": {"opportunity", "opp", "deal", "property"},
    "opportunity_history": {"opportunity", "opp", "deal"},
    "leads": {"lead", "contact", "property"},
    "accounts": {"account", "company", "property"},
    "contacts": {"contact", "property"},
    "products": {"product"},
    "campaigns": {"campaign"},
    "owners": {"owner", "user", "agent"},
    "subscriptions": {"subscription"},
    "orders": {"order"},
    "activities": {"activity", "task", "event", "engagement"},
}
"""Words a header may repeat from its table: "Deal Amount" is the amount of a deal."""


@lru_cache(maxsize=8192)
def words(header: str) -> tuple[str, ...]:
    """The words of a header in lower case: ``CloseDate``, ``close_date`` and ``Close Date`` are the same."""
    text = header.strip().removesuffix("__c").removesuffix("_c")
    parts = re.findall(r"[^\W_]+", " ".join(_CAMEL.split(text)))
    return tuple(plain(part) for part in parts)


@lru_cache(maxsize=8192)
def key(header: str) -> str:
    """A header without case, spaces and punctuation."""
    return "".join(words(header)) or plain(header)


@lru_cache(maxsize=8192)
def bare(header: str) -> str:
    """The same without a unit or currency at its end: "Deal Value, $" is "dealvalue"."""
    return key(_UNIT.sub("", header))


SET_HERE = {"opportunities": {"amount_basis"}, "opportunity_history": {"seq"}}
"""Columns that intake sets itself, whatever a file says."""


def columns(table: str) -> tuple[Column, ...]:
    """The columns a file of this table may bring: the dictionary's and intake's own."""
    return tuple(c for c in working_columns(table) if c.name not in SET_HERE.get(table, ()))


def working_columns(table: str) -> tuple[Column, ...]:
    """Every column the rows of this table have while they are worked on."""
    return TABLES[table].columns + INTAKE_ONLY.get(table, ())


@cache
def known_keys() -> frozenset[str]:
    """Keys of every field and alias."""
    return frozenset(key(n) for table in TABLES for c in columns(table) for n in (c.name, *c.aliases))
