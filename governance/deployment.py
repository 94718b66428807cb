"""One running deployment: the parts that operations need, joined in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from governance.adapters.compute import Compute, InlineCompute
from governance.clock import Clock, SystemClock
from governance.home import Home
from governance.storage.open import open_storage
from governance.storage.ports import Pen, Reader
from governance.storage.trail.index import INDEX_NAME, TrailIndex
from governance.storage.trail.segments import sealing_key

if TYPE_CHECKING:
    from governance.ledger.store.keys import KeyStore
    from governance.ledger.store.view import LedgerView
    from governance.storage.cosigner import Cosigner
    from governance.storage.counts import RecordCounts
    from governance.storage.rebuild import RebuildReport
    from governance.storage.verifier import Verifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A home that this process owns, opened.

    `rebuild` and `count` take a `watch`. What is given to `at_end` is called before the home is
    given back: whoever reads in a thread of their own ends it there.
    """

    home: Home
    clock: Clock
    pen: Pen
    reader: Callable[[], AbstractContextManager[Reader]]
    ledger: LedgerView
    keys: KeyStore
    compute: Compute
    cosigner: Cosigner
    verifier: Verifier
    rebuild: Callable[..., RebuildReport]
    count: Callable[..., RecordCounts]
    at_end: Callable[[Callable[[], None]], object]
    trail: TrailIndex
    finish_erasures: Callable[[], bool]


@contextmanager
def open_deployment(
    root: Path, *, clock: Clock | None = None, compute: Compute | None = None
) -> Iterator[Deployment]:
    """Own the home at `root` for the length of the block.

    Raises HomeOwned where another process owns it and LedgerTampered where the ledger does not
    verify; nothing is written in either case.
    """
    home = Home.open(root)
    running_clock = clock or SystemClock()
    with open_storage(home, clock=running_clock) as storage, ExitStack() as ending:
        yield Deployment(
            home=home,
            clock=running_clock,
            pen=storage.pen,
            reader=storage.reader,
            ledger=storage.ledger,
            keys=storage.keys,
            compute=compute or InlineCompute(),
            cosigner=storage.cosigner,
            verifier=storage.verifier,
            rebuild=storage.rebuild,
            count=storage.count,
            at_end=ending.callback,
            trail=TrailIndex(
                ledger=storage.ledger, path=home.root / INDEX_NAME, key=sealing_key(home)
            ),
            finish_erasures=storage.finish_erasures,
        )
