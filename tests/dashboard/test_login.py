"""A real OpenID Connect provider on loopback logs people in, and they try to reach what is not theirs: by menu, address and parameter."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from browsing import INSTRUCTOR_PAGES, browser, dashboard, free_port, process, settle, watch
from filled import fill
from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.filterwarnings("default")

PEOPLE = {
    "sub-student": {"email": "student2@uni.example", "email_verified": True, "name": "Two"},
    "sub-prof": {"email": "prof@uni.example", "email_verified": True, "name": "Prof"},
    "sub-stranger": {"email": "stranger@else.example", "email_verified": True, "name": "Stranger"},
    "sub-liar": {"email": "prof@uni.example", "email_verified": False, "name": "Not the prof"},
}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An OpenID Connect provider with four accounts."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    log = tmp_path_factory.mktemp("provider") / "log"
    with process([sys.executable, "-m", "oidc_provider_mock", "--port", str(port)], f"{address}/.well-known/openid-configuration", log=log):
        for sub, claims in PEOPLE.items():
            httpx.put(f"{address}/users/{sub}", json=claims, trust_env=False).raise_for_status()
        yield address


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, provider: str, data: Path) -> Iterator[str]:
    """A class's dashboard behind that provider."""
    folder = tmp_path_factory.mktemp("login")
    port = free_port()
    fill(str(folder / "class.db"), students=24, runs=2, released=1).dispose()
    (folder / "secrets.toml").write_text(
        f"""
[auth]
redirect_uri = "http://127.0.0.1:{port}/oauth2callback"
cookie_secret = "{"only for this test, " * 3}"
client_id = "lab"
client_secret = "not a secret"
server_metadata_url = "{provider}/.well-known/openid-configuration"

[lab]
instructors = ["prof@uni.example"]
"""
    )
    started = dashboard(
        folder / "log", folder=folder / "none", data=data, database=str(folder / "class.db"), port=port, secrets=folder / "secrets.toml"
    )
    with started as served:
        yield served


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser; each login has a context of its own."""
    with browser() as running:
        yield running


def log_in(chromium: Browser, address: str, sub: str) -> tuple[Page, list[str]]:
    """Goes through the provider's pages as one account."""
    page = chromium.new_context(viewport={"width": 1400, "height": 1000}).new_page()
    seen = watch(page)
    page.goto(address)
    settle(page)
    page.get_by_role("button", name="Log in").click()
    page.locator("input[name=sub]").fill(sub)
    page.get_by_role("button", name="Authorize").click()
    page.wait_for_url(f"{address}/**")
    page.get_by_role("button", name="Log out").wait_for(timeout=60_000)
    settle(page)
    # What the provider's own pages say is none of ours.
    seen.clear()
    return page, seen


def words(page: Page) -> str:
    """All text that a page shows."""
    return str(page.locator("body").inner_text())


def test_nothing_is_shown_before_the_login(chromium: Browser, address: str) -> None:
    """Whatever the address, there is the way in and nothing else."""
    page = chromium.new_context().new_page()
    for path in ("", "submissions?submission=2&run=1", "score", "overview"):
        page.goto(f"{address}/{path}")
        settle(page)
        assert page.get_by_role("button", name="Log in").count() == 1
        assert "student" not in words(page).lower()
        assert page.get_by_test_id("stSidebarNavLink").count() == 0
    page.context.close()


def test_student_sees_own_grade_and_reaches_nobody_elses(chromium: Browser, address: str) -> None:
    """A student sees their own score; an instructor's addresses and another's numbers as parameters give neither page nor name."""
    page, _ = log_in(chromium, address, "sub-student")
    text = words(page)
    assert "official" in text
    assert "Own attempts" in text
    assert "Submissions" not in text
    own = page.locator('[data-testid="stMetricValue"]').first.inner_text()
    for name in [page_name or "overview" for page_name in INSTRUCTOR_PAGES if page_name != "leaderboard"]:
        page.goto(f"{address}/{name}?submission=3&run=1&student=3")
        settle(page)
        shown = words(page)
        assert "student3" not in shown.lower(), name
        assert "Barbara" not in shown, name
        assert page.locator("h1").inner_text() in ("Score", "Page not found"), name
    # Parameters of a student's own page change nothing: whose page it is stands in the login.
    page.goto(f"{address}/?submission=3&run=2&student_id=3&viewer=instructor&everything=1")
    settle(page)
    assert page.locator('[data-testid="stMetricValue"]').first.inner_text() == own
    page.goto(f"{address}/standing")
    settle(page)
    assert "on the same kind of machine" in words(page)
    assert "student" not in words(page).lower().replace("student2@uni.example", "")
    page.context.close()


def test_instructor_sees_the_class_and_has_no_students_page(chromium: Browser, address: str) -> None:
    """An instructor has the class; a student's own pages are not among theirs, and no nickname can be chosen for somebody."""
    page, seen = log_in(chromium, address, "sub-prof")
    assert page.locator("h1").inner_text() == "Overview"
    page.goto(f"{address}/submissions?submission=3&run=1")
    settle(page)
    assert page.locator("h2").first.inner_text() == "Barbara Lovelace"
    page.goto(f"{address}/attempts")
    settle(page)
    assert page.locator("h1").inner_text() == "Overview"
    page.goto(f"{address}/leaderboard")
    settle(page)
    assert page.get_by_role("button", name="Take part under this name").count() == 0
    page.context.close()
    assert [line for line in seen if "does not seem to exist" not in line] == []


@pytest.mark.parametrize("sub", ["sub-stranger", "sub-liar"])
def test_others_see_nothing(chromium: Browser, address: str, sub: str) -> None:
    """Somebody who is not of the course, and somebody with an instructor's address that was never verified, see no class."""
    page, _ = log_in(chromium, address, sub)
    for path in ("", "overview", "submissions?submission=2", "score"):
        page.goto(f"{address}/{path}")
        settle(page)
        assert "This is not yours to see." in words(page)
        assert page.get_by_test_id("stSidebarNavLink").count() == 0
        assert page.locator('[data-testid="stMetricValue"]').count() == 0
    page.context.close()


def test_logging_out_closes_the_door(chromium: Browser, address: str) -> None:
    """After logging out the same browser is asked to log in again."""
    page, _ = log_in(chromium, address, "sub-student")
    page.get_by_role("button", name="Log out").click()
    # The dashboard sends the browser to the provider, so that its session ends as well.
    page.wait_for_url("**/oauth2/end_session**")
    page.goto(address)
    page.get_by_role("button", name="Log in").wait_for(timeout=60_000)
    assert page.locator('[data-testid="stMetricValue"]').count() == 0
    page.context.close()
