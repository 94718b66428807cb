"""A review that is late says so wherever it is shown (P12)."""

from __future__ import annotations

import pytest

from tests.support.small_deployment import DAY_US, Small, TickingClock, document_text


@pytest.mark.requirement("P12")
def test_one_review_is_overdue_as_in_the_list_and_never_once_decided(
    home: Small, clock: TickingClock
) -> None:
    text = document_text("plan").replace("Changes to the", "Other changes to the")
    review = home.register("plan", text=text)["review"]
    assert home.perform("rea", "review.show", review=review)["overdue"] is False
    clock.advance(seconds=400 * DAY_US / 1_000_000)
    (listed,) = [
        one for one in home.perform("rea", "review.list")["reviews"] if one["review"] == review
    ]
    shown = home.perform("rea", "review.show", review=review)
    assert shown["overdue"] is listed["overdue"] is True
    home.decide("rea", review, "reject", reason="too late")
    assert home.perform("rea", "review.show", review=review)["overdue"] is False
