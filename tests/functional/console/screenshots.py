"""Draw the pictures of the README anew: `python tests/functional/console/screenshots.py`.

They show the real console over a demonstration that is built for them. `--to FOLDER` writes them
elsewhere; `--every` draws each page of the invented deployment of `console_samples` instead, wide
and narrow, light and dark, for looking at what the demonstration does not reach.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from browser import chromium, served, sign_in  # noqa: E402
from console_samples.desk import PASSWORD, SampleDesk  # noqa: E402

from tests.support.demonstration import build  # noqa: E402

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
    "checkpoints": "/ledger/checkpoints",
    "keys": "/ledger/keys",
    "checkpoint": "/ledger/checkpoints/24?from=9",
    "document": "/documents/plan:forecasting:1",
    "people": "/people",
    "trail": "/trail",
    "trail-reviews": "/trail/reviews",
    "trail-review": "/trail/reviews/T-1",
    "problem": "/evidence/E-99",
    "sign-in": "/sign-in",
}
# Address and height of each picture that the documents show.
PICTURES = {
    "home": ("/", 900),
    "model": ("/models/forecasting", 1240),
    "audit": ("/evidence/E-1", 1240),
    "review": ("/reviews/R-5", 980),
    "finding": ("/findings/F-1", 900),
    "ledger": ("/ledger", 900),
    "entry": ("/ledger/entries/12", 1240),
    "trail": ("/trail?record=version:forecasting/1", 980),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--every", action="store_true")
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    if options.every:
        draw_samples(options.to)
    else:
        draw_demonstration(options.to)


def draw_demonstration(folder: Path) -> None:
    """Build the demonstration, serve it, and draw the pictures as its reviewer."""
    with tempfile.TemporaryDirectory() as scratch, chromium() as browser:
        demonstration = build(Path(scratch))
        person, password = "rea", demonstration.passwords["rea"]
        with (
            demonstration.served() as address,
            signed_in(browser, address, person, password) as page,
        ):
            for name, (path, height) in PICTURES.items():
                page.set_viewport_size({"width": 1280, "height": height})
                page.goto(address + path, wait_until="networkidle")
                page.screenshot(path=folder / f"{name}.png")


def draw_samples(folder: Path) -> None:
    """Draw every page of the invented deployment."""
    with served(SampleDesk()) as address, chromium() as browser:
        for width, scheme in ((1280, "light"), (390, "light"), (1280, "dark")):
            with signed_in(
                browser, address, "ingrid.dahl", PASSWORD, width=width, scheme=scheme
            ) as page:
                for name, path in PAGES.items():
                    page.goto(address + path, wait_until="networkidle")
                    file = folder / f"{name}-{width}-{scheme}.png"
                    page.screenshot(path=file, full_page=True)


@contextmanager
def signed_in(
    browser: Browser,
    address: str,
    person: str,
    password: str,
    *,
    width: int = 1280,
    scheme: str = "light",
) -> Iterator[Page]:
    """Open a window of this width as this person."""
    context = browser.new_context(
        viewport={"width": width, "height": 860}, color_scheme=scheme, locale="en-GB"
    )
    page = context.new_page()
    sign_in(page, address, person=person, password=password)
    yield page
    context.close()


if __name__ == "__main__":
    main()
