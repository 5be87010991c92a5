"""What a member of a workspace may do: it follows from the role and from whether all rows are seen."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

from kpis.store.scope import Scope

VIEWER, EDITOR, OWNER = "viewer", "editor", "owner"
ROLES = (VIEWER, EDITOR, OWNER)

Action = Literal["made", "saved", "deleted", "invited", "changed", "removed"]
Kind = Literal["workspace", "member", "settings", "snapshot", "scenario", "decision", "prediction"]


class Right(IntEnum):
    """What a member may do; each includes those before it."""

    LOOK = 0
    SAVE = 1
    SHARE = 2
    OWN = 3


MAY_NOT = {
    Right.SAVE: "save in",
    Right.SHARE: "change the data and settings of",
    Right.OWN: "delete, or change the members of,",
}
"""How what a right allows is said to somebody who lacks it."""

ASKS_FOR: dict[Kind, Right] = {
    "scenario": Right.SAVE,
    "decision": Right.SAVE,
    "prediction": Right.SAVE,
    "snapshot": Right.SHARE,
    "settings": Right.SHARE,
    "workspace": Right.OWN,
    "member": Right.OWN,
}
"""The right that changing a kind of thing asks for."""


def right_of(role: str, scope: Scope) -> Right:
    """The right of a member.

    Data and settings are everybody's: who sees a part of the rows cannot judge them for all.
    """
    if role == OWNER:
        return Right.OWN
    if role == EDITOR:
        return Right.SAVE if scope else Right.SHARE
    return Right.LOOK
