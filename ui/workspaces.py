"""Where the session keeps what it saves: in a workspace that lasts, or in one of its own that goes with it.

Both are the same to whatever saves: the session's own workspace is a store in its memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import streamlit as st

from kpis.errors import StoreError, TandemError
from kpis.settings import Settings
from kpis.store import IN_MEMORY, Place, Store, Workspace, agreement, place, workspace
from kpis.store.carrying import carry
from kpis.store.roles import Right
from kpis.store.scope import Scope
from kpis.store.versions import NEW, Changed
from ui import sign_in
from ui.cards import plain, problem

CHOICE = "workspace"
"""Key of the choice in the sidebar, and its name in the address."""
SESSION = "This session only"
ENTERED, NEXT, SEEN, CLASH = "workspace entered", "workspace next", "settings seen", "settings clash"
RIGHT, PART = "workspace right", "workspace part"
OWN, REFUSED, SAID = "own workspace", "refused", "workspace said"
_OWN = Place(IN_MEMORY, "memory://tandem")


def person() -> str:
    """Who acts; StoreError for a visitor, who has passed the frame's gate by no way that is known."""
    found = sign_in.person()
    if found is None:
        raise StoreError("Nobody is signed in", way_out="Sign in again")
    return found


def lasting() -> Store:
    """The store that outlives the session, made when something is kept for the first time."""
    return _opened(_place())


def names() -> list[str]:
    """The workspaces that last; none, and nothing on the disk, before anything has been kept."""
    return list(_mine())


def _mine() -> dict[str, Workspace]:
    """Those that the person takes part in, by name."""
    return {each.name: each for each in workspace.taken_part_in(lasting(), person())} if _place().is_there else {}


def entered() -> str | None:
    """The lasting workspace the session works in; None where it keeps to itself."""
    return st.session_state.get(ENTERED)


def current() -> Workspace:
    """Where the session saves; StoreError where its workspace cannot be reached or was deleted.

    It is held with the rows that the session shows, so that nothing made of them is saved as made of others.
    """
    name = entered()
    if name is None:
        return _own()
    return replace(workspace.find(lasting(), name, person()), scope=Scope.parse(st.session_state[PART]))


def may(right: Right) -> bool:
    """Whether the person may do this where the session saves: what they may not is not offered."""
    return entered() is None or st.session_state[RIGHT] >= right


def looks_only() -> str:
    """What is said to who may not save, in place of what saves."""
    return f"You are a viewer of {entered()}: you can try anything, and only its editors can save."


def sees_all() -> bool:
    """Whether the person sees all rows of the workspace that the session works in."""
    return entered() is None or not st.session_state[PART]


def enter(name: str) -> Workspace:
    """Work in a workspace that lasts, made where there is none; what the session had saved on its own comes along.

    Where the person may not save it stays in the session.
    """
    target = workspace.find_or_make(lasting(), name, person())
    if entered() is None and target.right >= Right.SAVE:
        say(*carry(_own(), target))
        del st.session_state[OWN]
    leave()
    st.session_state[ENTERED] = st.session_state[NEXT] = target.name
    st.session_state[RIGHT], st.session_state[PART] = int(target.right), target.scope.text
    st.session_state[SEEN] = agreement.agreed(target)[1]
    return target


def leave() -> None:
    """Keep to the session again."""
    for key in (ENTERED, RIGHT, PART, SEEN, CLASH):
        st.session_state.pop(key, None)
    st.session_state[NEXT] = SESSION


def was_taken() -> bool:
    """Whether the workspace of the session is not the person's any more, or another part of its rows is.

    A role that was changed holds from now on.
    """
    if entered() is None:
        return False
    there = _mine().get(entered())
    if there is None or there.scope.text != st.session_state[PART]:
        return True
    st.session_state[RIGHT] = int(there.right)
    return False


def choice() -> str | None:
    """Draw the choice of a workspace, where there are any, and give what is chosen; None for the session's own.

    It is bound to the address, so that a link to a page, or loading it again, comes back to the workspace.
    """
    options = [SESSION, *names()]
    if NEXT in st.session_state:
        st.session_state[CHOICE] = st.session_state.pop(NEXT)
    if st.session_state.get(CHOICE, SESSION) not in options:
        del st.session_state[CHOICE]
    if len(options) == 1:
        return None
    chosen = st.selectbox(
        "Workspace", options, key=CHOICE, bind="query-params", label_visibility="collapsed",
        help="Where scenarios, decisions, settings and forecasts are saved, and the data that were kept there.",
    )  # fmt: skip
    return None if chosen == SESSION else chosen


def settings() -> Settings:
    """The settings that apply to an export that comes without its own: those of the workspace."""
    found, st.session_state[SEEN] = agreement.agreed(current())
    return found


def agree(chosen: Settings) -> None:
    """Keep settings in the workspace the session works in; the person is asked where somebody else was faster.

    Of who may not change them there, they hold in the session.
    """
    if entered() is None or not may(Right.SHARE):
        return
    st.session_state.pop(CLASH, None)
    try:
        st.session_state[SEEN] = agreement.save(current(), chosen, st.session_state.get(SEEN, NEW))
    except Changed as changed:
        st.session_state[CLASH] = {"problem": changed.problem, "mine": chosen.as_toml()}
    except StoreError as error:
        say(str(error))


def settings_clash() -> tuple[str, Settings, Settings] | None:
    """Settings that somebody else saved meanwhile: what happened, mine, theirs; None where all is well."""
    clash = st.session_state.get(CLASH)
    if clash is None or entered() is None:
        return None
    return clash["problem"], Settings.parse(clash["mine"].encode(), "settings"), agreement.agreed(current())[0]


def settle_clash(chosen: Settings) -> None:
    """Save these settings in place of those that were saved meanwhile (a callback)."""
    settings()
    agree(chosen)


def say(*texts: str) -> None:
    """Have something said on the next page that is drawn."""
    st.session_state[SAID] = [*st.session_state.get(SAID, ()), *texts]


def say_said() -> None:
    """Say it."""
    for text in st.session_state.pop(SAID, ()):
        st.toast(plain(text))


def refuse(error: TandemError) -> None:
    """Remember why something could not be saved (in a callback)."""
    st.session_state[REFUSED] = error.with_traceback(None)


def say_refused() -> None:
    """Say why it could not, where it was tried."""
    if REFUSED in st.session_state:
        problem(st.session_state.pop(REFUSED))


def where() -> str:
    """Where what is saved goes, in a few words."""
    return f"kept in {entered() or 'this session only'}"


@contextmanager
def told() -> Iterator[None]:
    """Say why something could not be kept or read, in its place.

    A workspace that is gone is left by the frame, which then forgets its data as well.
    """
    try:
        yield
    except TandemError as error:
        problem(error)


def _place() -> Place:
    """The place that the secrets name under [store], else that of the environment."""
    named = st.secrets.get("store", {}) if st.secrets.load_if_toml_exists() else {}
    return place(named.get("data", ""), named.get("files", ""))


@st.cache_resource(show_spinner=False)
def _opened(where: Place) -> Store:
    return Store.open(where)


def _own() -> Workspace:
    """The session's own workspace."""
    if OWN not in st.session_state:
        st.session_state[OWN] = workspace.find_or_make(Store.open(_OWN), "This session", person())
    return st.session_state[OWN]
