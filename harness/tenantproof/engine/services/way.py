"""The way through Supabase's services: a part of every check of a Supabase database."""

from __future__ import annotations

from tenantproof.core.model import Platform, Scenario
from tenantproof.engine.services.auth import in_tokens
from tenantproof.engine.services.broadcasts import in_broadcasts
from tenantproof.engine.services.findings import Author, Haul
from tenantproof.engine.services.private_channels import in_private_channels
from tenantproof.engine.services.published import in_publication
from tenantproof.engine.services.storage import in_storage
from tenantproof.engine.talks import hold, side_by_side
from tenantproof.engine.ways import Found, Standing, Way

PHASE = "services"


def services_of(scenario: Scenario) -> tuple[Way, ...]:
    """For `check`: the way through the services that the scenario's platform has."""
    if scenario.database.platform is not Platform.SUPABASE:
        return ()
    return (Way("asking as Storage, Realtime and Auth would", PHASE, in_services),)


def in_services(standing: Standing) -> Found:
    """Everything by SQL, on the wire of the run; nothing of it is committed."""
    standing.wire.restart(())
    author = Author(standing.plan, standing.locate)
    haul = Haul()
    # Storage and Realtime set single claims, which a session never forgets (identity.legacy): first what sets none.
    tokens = in_tokens(standing, author)
    services = (in_publication, in_storage, in_private_channels, in_broadcasts)
    talks = side_by_side(service(standing, author) for service in services)
    published, stored, private, broadcast = hold(standing.wire, talks)
    for found in (stored, private, published, broadcast, tokens):
        haul.add(found)
    standing.wire.restart(())
    notes = ([f"asked {'; '.join(haul.asked)}"] if haul.asked else []) + haul.notes
    return Found(findings=tuple(haul.findings), gaps=tuple(haul.gaps), notes=tuple(notes))
