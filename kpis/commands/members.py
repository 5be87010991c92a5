"""`members`: who takes part in a workspace, and handing it over; for whoever holds the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kpis.commands.options import Json, Store, in_store, log, show

if TYPE_CHECKING:
    from kpis.store.scope import Scope


def members(
    workspace: Annotated[str, typer.Option(help="Name of the workspace.")],
    store: Store = None,
    add: Annotated[
        str | None, typer.Option(help="Invite this person, an e-mail address, or give them another role and rows.")
    ] = None,
    role: Annotated[str, typer.Option(help="With --add: viewer, editor or owner.")] = "viewer",
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="With --add: the rows they see: team=North, once for each value, or all. Default: as before."
        ),
    ] = None,
    remove: Annotated[
        str | None, typer.Option(help="Send this person away; 'local user' is whoever kept data without signing in.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say who takes part in a workspace; with --add or --remove, change it first."""
    import pandas as pd

    from kpis.answers.answer import Answer
    from kpis.answers.words import plural
    from kpis.store import members as people
    from kpis.store.roles import OWNER
    from kpis.store.scope import ALL, Scope

    if (scope or role != "viewer") and not add:
        raise typer.BadParameter("--role and --scope go with --add.")
    there = in_store(workspace, store)
    if add:
        # Another role is no reason to show somebody more rows.
        before = {row.person: Scope.parse(row.scope) for row in people.listed(there)}
        kept = ALL if role == OWNER else before.get(people.called(add), ALL)
        people.admit(there, add, role, _scope(scope) if scope else kept)
        log("members", workspace=there.name, added=add, role=role)
    if remove:
        people.remove(there, remove)
        log("members", workspace=there.name, removed=remove)
    listed = [
        {"person": row.person, "role": row.role, "sees": Scope.parse(row.scope).words or "all rows"}
        for row in people.listed(there)
    ]
    answer = Answer(
        f"Who takes part in {there.name}?", f"{plural(len(listed), 'member')}.",
        tables={"members": pd.DataFrame(listed)}, document={"workspace": there.name, "members": listed},
    )  # fmt: skip
    show(answer.document, as_json, answer)


def _scope(given: list[str]) -> Scope:
    """The rows that ``column=value`` or ``all`` names."""
    from kpis.store.scope import ALL, Scope

    if given == ["all"]:
        return ALL
    pairs = [item.partition("=") for item in given]
    columns = {column for column, _, _ in pairs}
    if len(columns) > 1:
        raise typer.BadParameter("Rows are told apart by one column: give --scope the same one each time.")
    return Scope.of(columns.pop(), [value for _, _, value in pairs])
