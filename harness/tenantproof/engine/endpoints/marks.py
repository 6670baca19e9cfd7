"""Whose rows an answer holds: the marks (canaries) of tenants, but for what the persona may see or said itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tenantproof.core.model import Persona
from tenantproof.engine.endpoints.asking import Trial
from tenantproof.engine.endpoints.reading import texts
from tenantproof.engine.endpoints.rows import Rows
from tenantproof.targets.endpoints.client import Reply

_AFTER = "0123456789-"


@dataclass(slots=True)
class Marks:
    """The marks of one run's tenants."""

    canaries: Mapping[str, str]
    rows: Rows
    _permitted: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def own(self, persona: Persona, reply: Reply) -> bool:
        """Whether the answer holds rows of the persona's own tenants."""
        marks = [self.canaries[name] for name in persona.tenants if name in self.canaries]
        return any(mark in text for text in texts(reply) for mark in marks)

    def foreign(self, trial: Trial, reply: Reply, public: Iterable[str] = ()) -> dict[str, str]:
        """Tenant -> one of its marks in the answer, of tenants that the persona does not belong to.

        *public* are texts that everybody may see.
        """
        others = {name: mark for name, mark in self.canaries.items() if name not in trial.persona.tenants}
        found: dict[str, str] = {}
        for text in texts(reply):
            for tenant in [name for name, mark in others.items() if name not in found and mark in text]:
                rest = self._rest(trial, text, others[tenant], public)
                if others[tenant] in rest:
                    found[tenant] = _occurrence(rest, others[tenant])
        return found

    def told(self, reply: Reply) -> tuple[str, ...]:
        """The texts of an answer that hold any tenant's mark."""
        return tuple(text for text in texts(reply) if any(mark in text for mark in self.canaries.values()))

    def _rest(self, trial: Trial, text: str, mark: str, public: Iterable[str]) -> str:
        """The text without what the persona said itself or may see."""
        permitted = [known for known in (*self._may_see(trial.persona), *public) if mark in known]
        if any(text in known for known in permitted):
            return ""
        said = (value for value in trial.said if mark in value)
        for known in sorted((*permitted, *said), key=len, reverse=True):
            text = text.replace(known, "")
        return text

    def _may_see(self, persona: Persona) -> tuple[str, ...]:
        if persona.name not in self._permitted:
            marks = [mark for name, mark in self.canaries.items() if name not in persona.tenants]
            visible = (text for text in self.rows.visible_of_others(persona) if any(mark in text for mark in marks))
            self._permitted[persona.name] = tuple(dict.fromkeys(visible))
        return self._permitted[persona.name]


def _occurrence(text: str, mark: str) -> str:
    """The mark with the number that follows it: nothing of what stands around it, which may be somebody's data."""
    start = text.index(mark)
    end = start + len(mark)
    while end < len(text) and text[end] in _AFTER:
        end += 1
    return text[start:end].rstrip("-")
