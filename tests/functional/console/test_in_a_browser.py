"""What a browser makes of the pages: reachable, operable, strict, narrow, printed."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import sign_in
from console_samples.desk import PASSWORD, SampleDesk
from screenshots import PAGES

pytestmark = [pytest.mark.browser, pytest.mark.slow]

RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}


def open_page(
    browser: Any, address: str, *, width: int = 1280, scheme: str = "light", scripts: bool = True
) -> tuple[Any, list[str]]:
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        java_script_enabled=scripts,
    )
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    sign_in(page, address, person="ingrid.dahl", password=PASSWORD)
    return page, said


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_breaks_a_rule_of_accessibility(browser: Any, address: str, scheme: str) -> None:
    page, _ = open_page(browser, address, scheme=scheme)
    found = {}
    for name, path in PAGES.items():
        page.goto(address + path, wait_until="networkidle")
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        results = Axe().run(page, options=RULES)
        if results.violations_count:
            found[name] = results.generate_snapshot()
    page.context.close()
    assert found == {}


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_its_window(browser: Any, address: str, width: int) -> None:
    page, said = open_page(browser, address, width=width)
    wide = []
    for name, path in PAGES.items():
        if name == "problem":
            continue  # a 404 is told in the browser's console by design
        page.goto(address + path, wait_until="networkidle")
        if page.evaluate("document.documentElement.scrollWidth") > width:
            wide.append(name)
    page.context.close()
    assert wide == []
    # A refused style, script or picture would be told here: the policy holds on every page.
    assert said == []


def test_a_reviewer_signs_from_home_to_decision(
    browser: Any, address: str, desk: SampleDesk
) -> None:
    page, _ = open_page(browser, address)
    page.get_by_role("link", name="R-7").first.click()
    page.get_by_label("Return").check()
    page.get_by_label("Reason").fill("General is not decidable; add origins.")
    page.get_by_label("Your password again").fill(PASSWORD)
    page.get_by_role("button", name="Sign and decide").click()
    page.wait_for_url(f"{address}/reviews/R-7")
    page.context.close()
    ((person, _, params),) = desk.posted
    assert person == "ingrid.dahl"
    assert params["decision"] == "return"


def test_everything_works_without_scripts(browser: Any, address: str, desk: SampleDesk) -> None:
    page, _ = open_page(browser, address, scripts=False)
    page.goto(f"{address}/reviews/R-7")
    page.get_by_label("Reject").check()
    page.get_by_label("Reason").fill("Not enough data.")
    page.get_by_label("Your password again").fill(PASSWORD)
    page.get_by_role("button", name="Sign and decide").click()
    page.wait_for_url(f"{address}/reviews/R-7")
    page.goto(f"{address}/ledger")
    page.get_by_role("button", name="Verify the whole ledger").click()
    assert page.get_by_text("The ledger verifies").is_visible()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{address}/sign-in")
    page.context.close()
    assert len(desk.posted) == 1


def test_a_verification_is_watched_to_its_end(browser: Any, address: str, desk: SampleDesk) -> None:
    page, said = open_page(browser, address)
    desk.slow = True
    page.goto(f"{address}/ledger")
    page.get_by_role("button", name="Verify the whole ledger").click()
    page.get_by_text("16 of 32").wait_for()
    assert page.get_by_role("progressbar").get_attribute("value") == "50"
    desk.go_on()
    page.get_by_text("The ledger verifies").wait_for()
    page.context.close()
    assert said == []


def test_charts_are_drawn_and_have_words(browser: Any, address: str) -> None:
    page, _ = open_page(browser, address)
    page.goto(f"{address}/evidence/E-2", wait_until="networkidle")
    pictures = page.locator("figure img")
    assert pictures.count() == 4
    for at in range(4):
        assert pictures.nth(at).evaluate("image => image.complete && image.naturalWidth") > 400
        assert len(pictures.nth(at).get_attribute("alt")) > 40
    page.context.close()


def test_another_site_cannot_frame_or_post(browser: Any, address: str, desk: SampleDesk) -> None:
    page, _ = open_page(browser, address)
    page.goto("about:blank")
    page.set_content(
        f'<form method="post" action="{address}/reviews/R-7/decision">'
        '<input name="decision" value="approve"><button>go</button></form>'
    )
    page.get_by_role("button", name="go").click()
    page.wait_for_load_state()
    page.context.close()
    assert desk.posted == []


def test_the_first_key_reaches_the_content(browser: Any, address: str) -> None:
    page, _ = open_page(browser, address)
    page.goto(f"{address}/models")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.context.close()
