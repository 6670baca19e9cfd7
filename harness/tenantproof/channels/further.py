"""All kinds of finding that further ways in tell, and the phase of a run that looks for each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tenantproof.channels.endpoints.catalogue import ENDPOINT_CHANNELS
from tenantproof.channels.kinds import Kind
from tenantproof.channels.pooled.catalogue import POOLED_CHANNELS
from tenantproof.channels.replica.catalogue import REPLICA_CHANNELS
from tenantproof.channels.rest.catalogue import REST_CHANNELS
from tenantproof.channels.services.catalogue import SERVICE_CHANNELS

BY_PHASE: Mapping[str, Mapping[str, Kind]] = MappingProxyType(
    {
        "rest": REST_CHANNELS,
        "services": SERVICE_CHANNELS,
        "pooled": POOLED_CHANNELS,
        "replica": REPLICA_CHANNELS,
        "endpoints": ENDPOINT_CHANNELS,
    }
)
"""Phase of a run (engine.ways.Way.phase) -> what it can tell."""

VIAS = ("rest", "pooled", "replica")
"""Those of them that a run is asked for by name (`--via`)."""

FURTHER: Mapping[str, Kind] = MappingProxyType(
    {id: kind for catalogue in BY_PHASE.values() for id, kind in catalogue.items()}
)

PHASE_OF: Mapping[str, str] = MappingProxyType({id: phase for phase, known in BY_PHASE.items() for id in known})
