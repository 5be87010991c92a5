"""Signing in at a provider: a visitor sees nothing, nobody reaches another's workspace, a part of the rows stays one.

Every value of the data carries the mark of its team, so that what must not be there can be searched for.
"""

from __future__ import annotations

import json
import logging
import re
from urllib.parse import quote
from urllib.request import Request, urlopen

import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from kpis.assumptions import Assumptions
from kpis.intake import archive, read
from kpis.store import Store, members, place, scenarios, snapshots
from kpis.store.workspace import find_or_make, log
from tests.browser.conftest import FIRST_RUN, addresses, drawn, serve, settled
from tests.browser.test_isolation import export
from tests.browser.traffic import Traffic
from tests.visitor import Visitor

oidc_provider_mock = pytest.importorskip("oidc_provider_mock")

ANA, BO, CY, DEE = (f"{name}@example.com" for name in ("ana", "bo", "cy", "dee"))
OURS, THEIRS = "ALPHA", "BRAVO"
PLAN = "Quorum"


@pytest.fixture(scope="module")
def deals(tmp_path_factory) -> pd.DataFrame:
    """Deals of two teams; the stages are the company's."""
    folder = tmp_path_factory.mktemp("teams")
    frames = [
        pd.read_csv(export(folder, team, "EUR", seed)).assign(team=team) for seed, team in ((3, OURS), (4, THEIRS))
    ]
    whole = pd.concat(frames)
    whole["stage"] = whole["stage"].str.removeprefix(f"{OURS} ").str.removeprefix(f"{THEIRS} ")
    return whole


@pytest.fixture(scope="module")
def plan(tmp_path_factory, deals):
    """Ana's workspace with those deals, and where it is."""
    folder = tmp_path_factory.mktemp("data")
    there = find_or_make(Store.open(place(str(folder))), PLAN, ANA)
    file = ("deals.csv", deals.to_csv(index=False).encode())
    intake = read([file])
    snapshots.keep(there, archive.about(intake), lambda kept: archive.write(intake, [file], kept))
    return there, folder


@pytest.fixture(scope="module")
def provider():
    """Address of a provider that knows four people; it has not confirmed the address of one."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    with oidc_provider_mock.run_server_in_thread() as server:
        url = f"http://localhost:{server.server_port}"
        for person in (ANA, BO, CY, DEE):
            claims = json.dumps({"email": person, "email_verified": person != DEE}).encode()
            request = Request(
                f"{url}/users/{quote(person)}", claims, {"Content-Type": "application/json"}, method="PUT"
            )
            urlopen(request, timeout=10).close()
        yield url


@pytest.fixture(scope="module")
def address(root, plan, provider, tmp_path_factory):
    """Address of a server on which people sign in."""
    folder = tmp_path_factory.mktemp("server")
    secrets = folder / "secrets.toml"
    secrets.write_text(
        f"""
        [auth]
        redirect_uri = "http://localhost:{{port}}/oauth2callback"
        cookie_secret = "only for this test, and long enough"
        client_id = "tandem"
        client_secret = "any"
        server_metadata_url = "{provider}/.well-known/openid-configuration"
        [store]
        data = "{plan[1]}"
        """
    )
    with serve(root, folder / "log.txt", more=("--secrets.files", str(secrets))) as url:
        yield url


@pytest.fixture
def person(browser, address):
    """``person(name)``: somebody's page, signed in, and what it receives; without a name, a visitor's."""
    contexts = []

    def come(name: str | None = None, **options: object) -> tuple[Page, Traffic]:
        context = browser.new_context(base_url=address, **options)
        contexts.append(context)
        context.route("**/cdn.jsdelivr.net/**", lambda route: route.abort())  # the provider's style sheet
        page = context.new_page()
        traffic = Traffic(page)
        if name:
            page.goto("/")
            page.get_by_role("button", name="Sign in").click()
            page.get_by_placeholder("sub").fill(name)
            page.get_by_role("button", name="Authorize").click()
            expect(page.get_by_role("button", name="Sign out")).to_be_visible(timeout=FIRST_RUN)
            traffic.received.clear()
        return page, traffic

    yield come
    for context in contexts:
        context.close()


def go(page: Page, path: str) -> None:
    """Open a page from the sidebar, in the same session; the first one's address is the server's."""
    links = page.locator(".st-key-navigation").get_by_role("link", include_hidden=True)
    there = {link.get_attribute("href").strip("/").partition("?")[0]: link for link in links.all()}
    there[path.strip("/").removeprefix("pipeline")].evaluate("link => link.click()")
    expect(page).to_have_url(re.compile(f"{'/' if path == '/pipeline' else path}([?]|$)"))
    drawn(page)


def test_a_visitor_sees_nothing_on_any_address(address, person):
    # The first to come to this server. Without a browser all addresses are quick.
    for path in addresses():
        with Visitor(address, path.strip("/"), workspace=PLAN, meeting="true") as visitor:
            visitor.run()
            assert visitor.texts("heading") == ["Tandem", "Sign in to see your workspaces."]
            assert [key for key in visitor.widgets if "sign_in" not in key] == []
    page, traffic = person(
        extra_http_headers={"X-Forwarded-Email": ANA, "X-Forwarded-User": ANA, "Authorization": f"Bearer {ANA}"}
    )
    page.context.add_cookies([{"name": "_streamlit_user", "value": json.dumps({"email": ANA}), "url": address}])
    for path in ("/", "/load", "/coverage", f"/what_if?workspace={PLAN}&email={ANA}"):
        page.goto(path)
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        settled(page)
        expect(page.get_by_text("Page not found")).to_have_count(0)
        expect(page.locator(".st-key-navigation")).to_have_count(0)
        assert OURS not in page.content()
    assert len(traffic.received) > 4
    assert traffic.names([OURS, THEIRS, "Demo company", "opportunit", "Zenithville"]) == []


def test_an_address_that_the_provider_has_not_confirmed_is_nobody_s(browser, address, person):
    page, traffic = person()
    page.goto("/")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_placeholder("sub").fill(DEE)
    page.get_by_role("button", name="Authorize").click()
    expect(page.get_by_text("is not confirmed")).to_be_visible()
    assert traffic.names([OURS, "Demo company"]) == []


def test_an_owner_invites_by_address_and_a_member_sees_their_part_alone(plan, person, deals):
    there, _ = plan
    scenarios.save(there, f"{THEIRS} plan", Assumptions(sales_cycle=1.2))
    owner, seen = person(ANA)
    owner.goto(f"/load?workspace={PLAN}")
    drawn(owner)
    owner.get_by_role("button", name="People").click()
    dialog = owner.get_by_role("dialog")
    dialog.get_by_role("textbox", name="E-mail address").fill(BO)
    dialog.get_by_label("Sees").click()
    owner.get_by_role("option", name="Deals of certain teams").click()
    dialog.get_by_label("Which teams").fill(OURS)
    dialog.get_by_label("Which teams").press("Control+Enter")
    dialog.get_by_role("button", name="Invite").click()
    expect(dialog.get_by_text(f"viewer, sees team {OURS} only")).to_be_visible()
    assert [(row.person, row.role) for row in members.listed(there)] == [(ANA, "owner"), (BO, "viewer")]
    owner.keyboard.press("Escape")
    go(owner, "/deals")
    assert seen.names([f"{OURS} owner", f"{THEIRS} owner"]) == [f"{OURS} owner", f"{THEIRS} owner"]

    page, traffic = person(BO)
    page.goto(f"/deals?workspace={PLAN}&team={THEIRS}")
    drawn(page)
    for path in ("/changes", "/what_if", "/track_record", "/sales", "/definitions", "/load", "/pipeline", "/report"):
        go(page, path)
        expect(page.get_by_text(f"a part of the data: team {OURS} only")).to_be_visible()
        assert THEIRS not in page.content()
        for button in ("Save", "Save this forecast", "Keep this data", "Delete", "People"):
            expect(page.get_by_role("button", name=button, exact=True)).to_have_count(0)
    taken = {form: traffic.download(page.locator(f".st-key-take_{form} button")) for form in ("json", "html", "xlsx")}
    assert traffic.names([f"{OURS} owner"]) == [f"{OURS} owner"]
    assert traffic.names([f"{THEIRS} {what}" for what in ("owner", "deal", "segment", "source", "plan")]) == []
    assert traffic.names([f"{THEIRS}-{n}" for n in range(len(deals))]) == []
    # The numbers are those of the part, counted another way.
    pack = json.loads(taken["json"])
    won = deals[(deals["status"] == "Won") & (deals["closed_at"] >= "2026-04-01")].groupby("team")["amount"].sum()
    assert pack["as_of"] < "2026-07-01"
    assert pack["answers"]["pipeline"]["numbers"]["won"]["value"] == won[OURS]
    assert pack["answers"]["check"]["numbers"]["accepted"]["value"] == 250 + 5  # deals, and the stages of all
    assert traffic.names([f"{won[THEIRS]:,.0f}", f"{won.sum():,.0f}", str(float(won.sum()))]) == []


def test_who_takes_no_part_does_not_get_in(plan, person):
    page, traffic = person(CY)
    page.goto(f"/load?workspace={PLAN}")
    expect(page.get_by_text("In this session only")).to_be_visible(timeout=FIRST_RUN)
    drawn(page)
    expect(page.get_by_text(CY)).to_be_visible()
    expect(page.get_by_label("Workspace")).to_have_count(1)  # the one of the form that keeps data
    assert traffic.names([OURS, THEIRS]) == []
    page.get_by_label("Workspace", exact=True).fill(PLAN)
    page.get_by_role("button", name="Keep this data").click()
    expect(page.get_by_text("is taken by a workspace that you take no part in")).to_be_visible()
    assert CY not in {entry.person for entry in log(plan[0])}
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="End session").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=FIRST_RUN)
    expect(page.locator(".st-key-navigation")).to_have_count(0)
