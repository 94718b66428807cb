"""OncoVigil: governance for the AI models of the oncology-drug lifecycle.

Lives here: everything that has an effect. Doors (`cli`, `console`, `api`) ask, `operations`
decide, one committer writes, the `ledger` remembers. Must not live here: statistics (`audits`),
what a model is (`models`) and what may happen to it (`change_control`), which are pure and know
nothing of this package. Who may import it: anybody; it is the only documented name (ADR 0002).

Importing it refuses (`ImportError`) where `models`, `audits` or `change_control` would come from
somewhere else than the folder that holds this package: a shadowed name would run foreign code under
our audit trail.
"""

from importlib.util import find_spec
from pathlib import Path

__all__ = ["__version__"]
__version__ = "0.1.0"


def _refuse_foreign_siblings(home: Path) -> None:
    """Raise `ImportError` unless the three other packages resolve to `home`; runs none of them."""
    for name in ("change_control", "models", "audits"):
        spec = find_spec(name)
        found = Path(spec.origin) if spec is not None and spec.origin else None
        expected = home / name / "__init__.py"
        if found is None or found.resolve() != expected:
            message = (
                f"package {name!r} resolves to {found or 'nothing'}, expected {expected}: another "
                f"{name!r} is on the path. Rename it, or start Python with PYTHONSAFEPATH=1."
            )
            raise ImportError(message)


_refuse_foreign_siblings(Path(__file__).resolve().parent.parent)
