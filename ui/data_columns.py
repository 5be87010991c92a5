"""How the columns of tables about files, their columns and the definitions are shown."""

from __future__ import annotations

from typing import Any

from ui.columns import column, count, money, share

_FILE = column.TextColumn("File")

FILES = {
    "file": _FILE,
    "table": column.TextColumn("Table"),
    "read": count("Rows read"),
    "accepted": count("Accepted"),
    "rejected": count("Rejected"),
    "merged": count("Merged"),
    "reason": column.TextColumn("Why not used"),
    "format": column.TextColumn("Format"),
}
REJECTS = {"file": _FILE, "line": column.NumberColumn("Line", format="%d"), "reason": column.TextColumn("Reason")}
WARNINGS = {"file": _FILE, "kind": column.TextColumn("Kind"), "text": column.TextColumn("What to know")}


def defects(symbol: str) -> dict[str, Any]:
    """Columns of the defects."""
    return {
        "defect": column.TextColumn("Defect"),
        "rows": count("Rows"),
        "amount": money("Money it touches", symbol),
    }


def defect_rows(symbol: str) -> dict[str, Any]:
    """Columns of the rows behind a defect."""
    return {
        "name": column.TextColumn("Deal"),
        "stage": column.TextColumn("Stage"),
        "status": column.TextColumn("Status"),
        "amount": money("Amount", symbol),
        "owner": column.TextColumn("Owner"),
        "created_at": column.TextColumn("Created"),
        "expected_close": column.TextColumn("Expected close"),
        "closed_at": column.TextColumn("Closed"),
        "opportunity_id": column.TextColumn("Id"),
        **REJECTS,
    }


def database(tables: list[str]) -> dict[str, Any]:
    """Columns of the tables of the dictionary, each with the table of a database that is taken for it."""
    return {
        "table": column.TextColumn("Table"),
        "there": column.SelectboxColumn("Its name there", options=tables),
        "grain": column.TextColumn("What one row is", width="large"),
    }


def mapping(fields: list[str]) -> dict[str, Any]:
    """Columns of the editable mapping of one file."""
    return {
        "column": column.TextColumn("Column of the file", disabled=True),
        "samples": column.TextColumn("Sample values", disabled=True, width="medium"),
        "field": column.SelectboxColumn("Taken as", options=fields, required=True, help="Change it here"),
        "confidence": share("Confidence", "How well the header names the field x how well the values fit it"),
        "why": column.TextColumn("Why", disabled=True),
    }


CHANGED_COLUMNS = {
    "file": _FILE,
    "column": column.TextColumn("Column of the file"),
    "before": column.TextColumn("Taken as, before"),
    "after": column.TextColumn("Taken as, now"),
}
CHANGED_ROWS = {
    "file": _FILE,
    "accepted_before": count("Accepted before"),
    "accepted_after": count("Accepted now"),
    "rejected_before": count("Rejected before"),
    "rejected_after": count("Rejected now"),
    "merged_before": count("Merged before"),
    "merged_after": count("Merged now"),
}
STAGES = {
    "position": column.NumberColumn("Place", min_value=0, step=1, format="%d", required=True, width="small"),
    "stage": column.TextColumn("Stage", disabled=True),
    "is_qualified": column.CheckboxColumn("Qualified", help="A deal in it counts as qualified on every page"),
    "is_won": column.CheckboxColumn("Won"),
    "is_lost": column.CheckboxColumn("Lost"),
    "basis": column.TextColumn("Rests on", disabled=True),
}
DEFINITIONS = {
    "definition": column.TextColumn("Definition"),
    "basis": column.TextColumn("Rests on"),
    "value": column.TextColumn("Value", width="large"),
}
COUNTS = {
    "kind": column.TextColumn("Qualified"),
    "period": column.TextColumn("Period"),
    "sales": count("Sales counts"),
    "marketing": count("Marketing counts"),
    "both": count("Both"),
    "only_sales": count("Only Sales", "In this period; Marketing counts them in another or never"),
    "only_marketing": count("Only Marketing", "In this period; Sales counts them in another or never"),
}


def differences(symbol: str) -> dict[str, Any]:
    """Columns of the records that two rules count differently."""
    return {
        "record": column.TextColumn("Record"),
        "name": column.TextColumn("Name"),
        "counted_by": column.TextColumn("Counted by"),
        "why": column.TextColumn("Why", width="large"),
        "sales_day": column.DateColumn("By Sales", format="DD MMM YYYY"),
        "marketing_day": column.DateColumn("By Marketing", format="DD MMM YYYY"),
        "amount": money("Amount", symbol),
        "stage": column.TextColumn("Stage now"),
        "id": column.TextColumn("Id"),
    }
