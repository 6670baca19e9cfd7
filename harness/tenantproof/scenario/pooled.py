"""`pooled:` to values: what the application does on a pooled connection, and which pools it uses."""

from __future__ import annotations

from tenantproof.core.model import Pooled, PoolKind, Snippet
from tenantproof.scenario import models, templates
from tenantproof.scenario.ledger import Ledger
from tenantproof.scenario.positions import Path, shown

MOMENTS = ("checkout", "begin", "anonymous", "release", "on_error")


def build(ledger: Ledger, declared: models.Pooled | None) -> Pooled | None:
    """The section; complains where nothing begins a user, and where functions do not say what they are written for."""
    if declared is None:
        return None
    snippets = {moment: _snippet(ledger, ("pooled", moment), getattr(declared, moment)) for moment in MOMENTS}
    pools = tuple(PoolKind(name) for name in declared.pools or ())
    ledger.unique([(("pooled", "pools", index), name) for index, name in enumerate(pools)], "the pool")
    _begins(ledger, snippets)
    _called(ledger, snippets, pools)
    nothing = Snippet()
    return Pooled(
        checkout=snippets["checkout"] or nothing,
        begin=snippets["begin"] or nothing,
        anonymous=snippets["anonymous"],
        release=snippets["release"] or nothing,
        on_error=snippets["on_error"],
        pools=pools,
        place=ledger.document.key_place(("pooled",)),
    )


def _snippet(ledger: Ledger, path: Path, declared: str | list[str] | models.Called | None) -> Snippet | None:
    if declared is None:
        return None
    place = ledger.document.key_place(path)
    if isinstance(declared, models.Called):
        return Snippet(callable=declared.callable, place=place)
    if isinstance(declared, str):
        texts: list[tuple[Path, str]] = [(path, declared)]
    else:
        texts = [((*path, index), text) for index, text in enumerate(declared)]
    ledger.templates(texts, templates.SNIPPET)
    return Snippet(statements=tuple(text.strip().rstrip(";") for _, text in texts), place=place)


def _begins(ledger: Ledger, snippets: dict[str, Snippet | None]) -> None:
    if snippets["checkout"] is None and snippets["begin"] is None:
        message = "nothing here says how the application begins as a user"
        hint = "give `begin` (first in each transaction), `checkout` (once for each connection taken), or both"
        ledger.at_key(("pooled",), "missing-key", message, hint)
    if snippets["anonymous"] is not None and snippets["begin"] is None:
        message = "`anonymous` comes in place of `begin`, and there is none"
        ledger.at_key(("pooled", "anonymous"), "contradiction", message, "write begin, too")


def _called(ledger: Ledger, snippets: dict[str, Snippet | None], pools: tuple[PoolKind, ...]) -> None:
    """A function is written for one driver, so the pools say which."""
    moment = next((name for name in MOMENTS if (found := snippets[name]) is not None and found.callable), None)
    if moment is None:
        return
    path: Path = ("pooled", moment)
    if not pools:
        hint = "pools: [sqlalchemy] for SQLAlchemy's Connection, or any of the others for psycopg's"
        ledger.at_key(path, "missing-key", "a function needs `pools`: which driver is it written for?", hint)
    elif PoolKind.SQLALCHEMY in pools and len(pools) > 1:
        others = ", ".join(pool for pool in pools if pool is not PoolKind.SQLALCHEMY)
        message = (
            f"a function takes SQLAlchemy's Connection or psycopg's, not both ({shown('sqlalchemy')} and {others})"
        )
        ledger.at_key(("pooled", "pools"), "contradiction", message, "one scenario file for each")
