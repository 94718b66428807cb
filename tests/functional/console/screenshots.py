"""Draw the pictures of the README anew: `python tests/functional/console/screenshots.py`.

The pages show the invented deployment of `console_samples`. With `--to FOLDER` they are written
elsewhere; with `--every` each page is drawn, wide and narrow, light and dark.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from browser import chromium, served, sign_in  # noqa: E402
from console_samples.desk import PASSWORD, SampleDesk  # noqa: E402

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
README = ("home", "audit", "review", "ledger")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--every", action="store_true")
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    looks = [(1280, "light")]
    if options.every:
        looks += [(390, "light"), (1280, "dark")]
    with served(SampleDesk()) as address, chromium() as browser:
        for width, scheme in looks:
            context = browser.new_context(
                viewport={"width": width, "height": 860}, color_scheme=scheme, locale="en-GB"
            )
            page = context.new_page()
            sign_in(page, address, person="ingrid.dahl", password=PASSWORD)
            for name in PAGES if options.every else README:
                page.goto(address + PAGES[name], wait_until="networkidle")
                suffix = "" if not options.every else f"-{width}-{scheme}"
                page.screenshot(
                    path=options.to / f"console-{name}{suffix}.png", full_page=options.every
                )
            context.close()


if __name__ == "__main__":
    main()
