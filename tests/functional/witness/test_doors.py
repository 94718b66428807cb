"""How far the witnesses are, at every door: /readyz, /metrics, and the console's ledger page."""

from __future__ import annotations

from pathlib import Path

import pytest

from governance.clock import SystemClock
from governance.console.deployment_desk import DeploymentDesk
from governance.console.views.ledger import ledger_page
from governance.home import Home
from governance.operations.inspect.verification import Verifications
from tests.functional.api.support import ShiftedClock, make_home, running
from tests.integration.witness.outside import Outside, address

pytestmark = [pytest.mark.requirement("P12"), pytest.mark.requirement("P3")]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_home(tmp_path_factory.mktemp("doors") / "home")


@pytest.fixture
def silent(template: Path, tmp_path: Path) -> Path:
    """Return a home whose one witness is on a port where nobody listens."""
    import shutil

    home = Home.open(Path(shutil.copytree(template, tmp_path / "home")))
    Outside.of(home, SystemClock(), "hospital", settings="stop_after_minutes = 60")
    config = home.root / "vigil.toml"
    config.write_text(config.read_text().replace(address("hospital"), "http://127.0.0.1:9"))
    return home.root


def test_silence_is_told_and_answers_go_on(silent: Path) -> None:
    with running(silent) as api:
        api.deployment.cosigner.round()
        ready = api.http.get("/readyz")
        size = api.size()
        assert ready.status_code == 200
        assert ready.json()["checks"]["witnesses"] == "ok"
        assert ready.json()["witnesses"] == {
            "size": size,
            "anchored_size": 0,
            "lag": {"hospital": size},
            "silent": ["hospital"],
        }
        assert api.ask().status_code == 200
        metrics = api.http.get("/metrics").text
        assert f'vigil_witness_lag_entries{{witness="hospital"}} {size + 1}' in metrics
        assert "vigil_ledger_anchored_size 0" in metrics
        assert "vigil_answers_stopped 0" in metrics


@pytest.mark.requirement("P2")
def test_after_too_long_answers_are_refused_and_the_server_is_not_ready(silent: Path) -> None:
    clock = ShiftedClock()
    with running(silent, clock=clock) as api:
        assert api.ask().status_code == 200
        clock.shift_us = 3600 * 1_000_000
        refused = api.ask()
        assert refused.status_code == 503
        assert refused.json()["code"] == "gate.audit_unavailable"
        assert "witness" in refused.json()["detail"]
        ready = api.http.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["checks"] == {
            "ledger": "ok",
            "artifacts": "ok",
            "witnesses": "gate.audit_unavailable",
            "verification": "ok",
        }
        assert "vigil_answers_stopped 1" in api.http.get("/metrics").text


def test_the_console_shows_how_far_each_witness_is(silent: Path) -> None:
    with running(silent) as api:
        api.deployment.cosigner.round()
        desk = DeploymentDesk(running=api.deployment, verifications=Verifications(api.deployment))
        head = desk.ledger_head()
        assert head.witnesses == ("hospital",)
        assert (head.anchored_size, head.stopped) == (0, False)
        (lag,) = head.lags
        assert (lag.name, lag.lag) == ("hospital", head.size)
        view = ledger_page(head, desk.ledger_entries(before=head.size, limit=5))
        assert view.unanchored == head.size
