"""YAML to Scenario: positions, models, did-you-mean, JSON Schema."""

from __future__ import annotations

from tenantproof.scenario.against_catalog import check_against_catalog
from tenantproof.scenario.loading import load_scenario
from tenantproof.scenario.schema import json_schema

__all__ = ["check_against_catalog", "json_schema", "load_scenario"]
