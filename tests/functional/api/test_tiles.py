"""The ledger over HTTP: public tiles and entries, facts for readers, no more than was signed."""

from __future__ import annotations

from io import BytesIO

import pytest

from governance.ledger.core.bundles import read_entries, read_facts
from governance.ledger.core.checkpoint import Checkpoint
from governance.ledger.core.merkle import leaf_hash, root_from_inclusion_proof
from governance.ledger.core.note import parse_note
from governance.ledger.core.record import decode_entry, facts_commitment
from governance.ledger.core.tiles import TiledTree, TilePath, tile_at
from tests.functional.api.support import Api

MORE_THAN_A_TILE = 300


def _published(api: Api) -> Checkpoint:
    return Checkpoint.parse(parse_note(api.http.get("/checkpoint").content).text)


def _fetch(api: Api, path: TilePath, **options: object) -> bytes:
    response = api.http.get(f"/{path.text()}", **options)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/octet-stream"
    return response.content


def _grow(api: Api, size: int) -> None:
    missing = size - api.size()
    api.deployment.pen.commit(
        lambda unit: [unit.record(kind="attempt.opened", actor="quinn") for _ in range(missing)]
    )


@pytest.fixture(scope="module")
def grown(shared: Api) -> Api:
    _grow(shared, MORE_THAN_A_TILE)
    return shared


def test_the_checkpoint_is_text_and_is_not_kept(grown: Api) -> None:
    response = grown.http.get("/checkpoint")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.requirement("P14")
def test_tiles_lead_to_the_signed_root_and_prove_entries(grown: Api) -> None:
    checkpoint = _published(grown)
    tree = TiledTree(size=checkpoint.size, read=lambda path: _fetch(grown, path))
    assert tree.root() == checkpoint.root
    leaf = leaf_hash(grown.deployment.ledger.entry(7).stored.env)
    assert tree.leaf(7) == leaf
    proof = tree.inclusion_proof(7)
    led_to = root_from_inclusion_proof(leaf, index=7, size=checkpoint.size, proof=proof)
    assert led_to == checkpoint.root


def test_entries_are_the_leaves_of_the_tree_and_hold_commitments_only(grown: Api) -> None:
    size = _published(grown).size
    for index in range(2):
        path = tile_at(size, index=index, kind="entries")
        hashes = tile_at(size, index=index)
        assert path is not None
        assert hashes is not None
        entries = list(read_entries(BytesIO(_fetch(grown, path)), path))
        assert b"".join(map(leaf_hash, entries)) == _fetch(grown, hashes)
        assert [decode_entry(entry).seq for entry in entries] == list(
            range(path.first, path.first + path.width)
        )
        assert b"quinn" not in b"".join(entries)


def test_a_reader_gets_facts_that_open_the_commitments(grown: Api) -> None:
    path = TilePath(kind="facts", index=0)
    content = _fetch(grown, path, headers=grown.bearer("inspector"))
    entries = _fetch(grown, TilePath(kind="entries", index=0))
    pairs = zip(
        read_facts(BytesIO(content), path), read_entries(BytesIO(entries), path), strict=True
    )
    for told, entry in pairs:
        committed = decode_entry(entry).facts_c
        assert facts_commitment(salt=told.salt, facts=told.facts) == committed
    assert b"quinn" in content


@pytest.mark.requirement("P15")
def test_facts_need_the_permission_to_read(grown: Api) -> None:
    assert grown.http.get("/tile/facts/000").status_code == 401
    for client in ("planner", "dispensary"):
        refused = grown.http.get("/tile/facts/000", headers=grown.bearer(client))
        assert (refused.status_code, refused.json()["code"]) == (403, "identity.forbidden")
        assert b"quinn" not in refused.content


@pytest.mark.requirement("P15")
def test_a_client_of_one_site_gets_no_facts_of_another(grown: Api) -> None:
    headers = grown.bearer("auditor")
    refused = grown.http.get("/tile/facts/000", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (
        403,
        "identity.whole_organisation_only",
    )
    assert b"quinn" not in refused.content
    for kind in ("0", "entries"):
        assert grown.http.get(f"/tile/{kind}/000", headers=headers).status_code == 200


@pytest.mark.requirement("P15")
@pytest.mark.parametrize("path", ["/tile/bodies/000", "/tile/bodies/000.p/1"])
def test_bodies_are_never_served(grown: Api, path: str) -> None:
    grown.ask()
    refused = grown.http.get(path, headers=grown.bearer("auditor"))
    assert (refused.status_code, refused.json()["code"]) == (404, "ledger.no_such_tile")


@pytest.mark.parametrize("kind", ["0", "entries", "facts"])
def test_full_tiles_are_kept_for_ever_and_partial_ones_for_a_while(grown: Api, kind: str) -> None:
    headers = grown.bearer("inspector")
    who = "private" if kind == "facts" else "public"
    full = grown.http.get(f"/tile/{kind}/000", headers=headers)
    assert full.headers["cache-control"] == f"{who}, max-age=31536000, immutable"
    partial = grown.http.get(f"/tile/{kind}/001.p/9", headers=headers)
    assert partial.headers["cache-control"] == f"{who}, max-age=3600, immutable"


def test_a_narrower_tile_is_the_front_of_the_wider_one(grown: Api) -> None:
    full = grown.http.get("/tile/0/000").content
    assert grown.http.get("/tile/0/000.p/5").content == full[: 5 * 32]


@pytest.mark.parametrize(
    "path",
    [
        "0/002",
        "0/001",  # not full yet
        "0/001.p/255",
        "1/000",
        "1/000.p/2",
        "2/000.p/1",
        "63/000",
        "entries/001",
        "entries/x001/000",
        "facts/001",
        "0/x999/x999/999",
    ],
)
def test_what_is_beyond_the_checkpoint_is_not_there_and_not_kept(grown: Api, path: str) -> None:
    absent = grown.http.get(f"/tile/{path}", headers=grown.bearer("inspector"))
    assert (absent.status_code, absent.json()["code"]) == (404, "record.not_found")
    assert absent.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    ["64/000", "00/000", "0/0", "0/000.p/0", "0/000.p/256", "0/x000/000", "names/000", "0/000/"],
)
def test_another_spelling_is_no_tile(grown: Api, path: str) -> None:
    absent = grown.http.get(f"/tile/{path}")
    assert (absent.status_code, absent.json()["code"]) == (404, "ledger.no_such_tile")
    assert absent.headers["cache-control"] == "no-store"


def test_an_entry_appears_with_its_checkpoint(own: Api) -> None:
    before = _published(own).size
    following = f"/tile/entries/000.p/{before + 1}"
    assert own.http.get(following).status_code == 404
    own.ask()
    assert own.http.get(following).status_code == 200
