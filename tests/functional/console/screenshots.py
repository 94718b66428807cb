"""Draw the pictures of the README anew: `python tests/functional/console/screenshots.py`.

The pages show the invented deployment of `console_samples`. With `--to FOLDER` they are written
elsewhere; with `--every` each page is drawn, wide and narrow, light and dark.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from browser import chromium, served, sign_in  # noqa: E402
from console_samples.desk import PASSWORD, SampleDesk  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PAGES = {
    "home": "/",
    "models": "/models",
    "model": "/models/forecasting",
    "audit": "/evidence/E-2",
    "review": "/reviews/R-7",
    "review-refused": "/reviews/R-6",
    "finding": "/findings/F-1",
    "ledger": "/ledger",
    "entry": "/ledger/entries/30",
    "document": "/documents/plan:forecasting:1",
    "people": "/people",
    "problem": "/evidence/E-99",
    "sign-in": "/sign-in",
}
# Address and height of each picture that the documents show.
PICTURES = {
    "home": ("/", 900),
    "model": ("/models/forecasting", 1240),
    "audit": ("/evidence/E-2", 1240),
    "review": ("/reviews/R-8", 980),
    "finding": ("/findings/F-1", 900),
    "ledger": ("/ledger", 900),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--every", action="store_true")
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    with served(SampleDesk()) as address, chromium() as browser:
        if not options.every:
            with signed_in(browser, address, width=1280, scheme="light") as page:
                for name, (path, height) in PICTURES.items():
                    page.set_viewport_size({"width": 1280, "height": height})
                    page.goto(address + path, wait_until="networkidle")
                    page.screenshot(path=options.to / f"{name}.png")
            return
        for width, scheme in ((1280, "light"), (390, "light"), (1280, "dark")):
            with signed_in(browser, address, width=width, scheme=scheme) as page:
                for name, path in PAGES.items():
                    page.goto(address + path, wait_until="networkidle")
                    file = options.to / f"{name}-{width}-{scheme}.png"
                    page.screenshot(path=file, full_page=True)


@contextmanager
def signed_in(browser: Browser, address: str, *, width: int, scheme: str) -> Iterator[Page]:
    """Open a window of this width as the invented reviewer."""
    context = browser.new_context(
        viewport={"width": width, "height": 860}, color_scheme=scheme, locale="en-GB"
    )
    page = context.new_page()
    sign_in(page, address, person="ingrid.dahl", password=PASSWORD)
    yield page
    context.close()


if __name__ == "__main__":
    main()
