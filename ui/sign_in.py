"""Who a session belongs to: whoever signed in at a provider that the secrets name; without one, the local user.

A person is an e-mail address that the provider vouches for, in the cookie that Streamlit signs. Nothing that a visitor
can write, an address or a header, ever names one.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import streamlit as st

from kpis.errors import StoreError
from kpis.store import LOCAL
from kpis.store.members import address
from ui.cards import plain, small

HEADERS = "server.trustedUserHeaders"


def is_asked() -> bool:
    """Whether people sign in here: the secrets have [auth], or are there and cannot be read."""
    return "auth" in st.secrets if st.secrets.load_if_toml_exists() else _are_broken()


def person() -> str | None:
    """Who acts; None for a visitor."""
    return _known()[0] if is_asked() else LOCAL


def ask() -> None:
    """All that a visitor sees: the way in, or why signing in led nowhere and the way out."""
    st.title("Tandem", anchor=False)
    st.header("Sign in to see your workspaces.", anchor=False)
    _, why = _known()
    if why:
        st.error(plain(why), icon=":material/error:")
        if st.user.get("is_logged_in"):
            _sign_out()
        return
    for name in _providers():
        st.button(
            f"Sign in with {plain(name)}" if name else "Sign in", on_click=st.login, args=(name or None,),
            key=f"sign_in {name}", icon=":material/login:",
        )  # fmt: skip
    st.markdown(small("Did a link bring you here? Open it again once you are signed in: it then leads to its page."))


def account() -> None:
    """In the sidebar: who is signed in, and the way out."""
    if is_asked():
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            # Markdown would make a link of the address.
            st.text(person(), width="content")
            _sign_out()


def _known() -> tuple[str | None, str]:
    """Who is signed in; else why nobody is, where that is not simply still to be done."""
    if _are_broken():
        return None, "This server's secrets cannot be read, so nobody can sign in. Its operator finds why in the log."
    if find_spec("authlib") is None:
        return None, "This server lacks what signing in takes. Its operator must install streamlit[auth]."
    if st.get_option(HEADERS):
        # They would stand in for what the provider says, and anybody can send a header.
        return None, f"This server takes names from headers, so nobody can sign in. Its operator must unset {HEADERS}."
    if st.user.get("is_logged_in") is not True:
        return None, ""
    if str(st.user.get("email_verified", True)).lower() != "true":
        return None, "Your provider says that your e-mail address is not confirmed. Confirm it and sign in again."
    try:
        return address(str(st.user.get("email", ""))), ""
    except StoreError as error:
        return None, f"Your provider names you by something else than an e-mail address. {error.problem}."


def _are_broken() -> bool:
    """Whether there are secrets that Streamlit could not read, which it takes for none."""
    return not st.secrets.load_if_toml_exists() and any(Path(path).exists() for path in st.get_option("secrets.files"))


def _providers() -> list[str]:
    """The names of the providers; an empty one where [auth] itself describes the only one."""
    auth = st.secrets["auth"]
    named = [name for name, entry in auth.items() if isinstance(entry, Mapping) and "client_id" in entry]
    return [""] if "client_id" in auth else named


def _sign_out() -> None:
    st.button("Sign out", on_click=st.logout, key="sign_out", icon=":material/logout:", type="tertiary")
