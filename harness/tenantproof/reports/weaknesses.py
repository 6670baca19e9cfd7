"""Names of the weaknesses that findings refer to (Common Weakness Enumeration, cwe.mitre.org)."""

from __future__ import annotations

from dataclasses import dataclass

_TITLES = {
    200: "Exposure of Sensitive Information to an Unauthorized Actor",
    201: "Insertion of Sensitive Information Into Sent Data",
    203: "Observable Discrepancy",
    204: "Observable Response Discrepancy",
    208: "Observable Timing Discrepancy",
    209: "Generation of Error Message Containing Sensitive Information",
    266: "Incorrect Privilege Assignment",
    269: "Improper Privilege Management",
    276: "Incorrect Default Permissions",
    284: "Improper Access Control",
    285: "Improper Authorization",
    340: "Generation of Predictable Numbers or Identifiers",
    566: "Authorization Bypass Through User-Controlled SQL Primary Key",
    639: "Authorization Bypass Through User-Controlled Key",
    648: "Incorrect Use of Privileged APIs",
    668: "Exposure of Resource to Wrong Sphere",
    732: "Incorrect Permission Assignment for Critical Resource",
    862: "Missing Authorization",
    863: "Incorrect Authorization",
    1220: "Insufficient Granularity of Access Control",
}


@dataclass(frozen=True, slots=True)
class Weakness:
    """A weakness in words, and its page; both empty where a finding has none."""

    title: str
    url: str


def weakness(cwe: int) -> Weakness:
    """The weakness with this number; 0 stands for none."""
    if not cwe:
        return Weakness("", "")
    title = _TITLES.get(cwe, "")
    name = f"CWE-{cwe}: {title}" if title else f"CWE-{cwe}"
    return Weakness(name, f"https://cwe.mitre.org/data/definitions/{cwe}.html")
