"""What a run knows: the catalog, the scenario's intent, the personas, and who stands where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from tenantproof.channels.columns import plain_columns
from tenantproof.channels.matrix.membership import has_role
from tenantproof.channels.stand import Stand
from tenantproof.core.catalog import Catalog, Function, Relation, RelationKind
from tenantproof.core.model import Command, Persona, Platform, QName, Scenario, Tenancy
from tenantproof.core.ports import Identity
from tenantproof.core.report import Gap
from tenantproof.core.world import Manifest, Row, World
from tenantproof.engine.consulted import Wake
from tenantproof.engine.firing import hidden_writers
from tenantproof.engine.scripts import Watch, watch
from tenantproof.oracle.entitlement import Oracle, predicates_of

PLATFORM_SCHEMAS = frozenset({"auth", "storage", "realtime", "extensions", "graphql_public", "vault", "net", "cron"})


@dataclass(frozen=True)
class Plan:
    """Everything that is known before the first attempt."""

    catalog: Catalog
    scenario: Scenario
    tenancy: Mapping[QName, Tenancy]
    manifest: Manifest
    world: World
    identities: Mapping[str, Identity]
    consulted: Mapping[QName, frozenset[QName]] = field(default_factory=dict)
    people: Mapping[str | None, frozenset[str]] = field(default_factory=dict)
    """User id -> ids of their tenants, of users who are no personas."""
    alone: bool = True
    """Whether nobody else uses the database, who would have to wait for locks of ours."""
    only: frozenset[QName] | None = None
    """The relations to check, where it is not all that are in scope."""

    @cached_property
    def oracle(self) -> Oracle:
        partitions = {name: root for name in self.catalog.relations if (root := _root(self.catalog, name)) is not None}
        ids = self.manifest.tenant_ids
        return Oracle(
            self.scenario,
            self.tenancy,
            ids,
            partitions,
            people=dict(self.people)
            | {
                who.user_id: frozenset(ids[name] for name in who.tenants if name in ids)
                for who in self.manifest.personas
                if who.user_id is not None
            },
            directories=frozenset(name for name in self.tenancy if self._is_directory(name)),
            founding=frozenset(name for name in self.tenancy if self._holds_tenants(name)),
            one_tenant_a_session="{tenant." in f"{self.scenario.claims} {self.scenario.session.settings}",
        )

    def _holds_tenants(self, name: QName) -> bool:
        """Its rows are tenants: their own key says whose they are."""
        tenancy, relation = self.tenancy[name], self.catalog.relations.get(name)
        path = tenancy.tenant.path if tenancy.tenant is not None else ()
        return relation is not None and len(path) == 1 and relation.primary_key == path

    def _is_directory(self, name: QName) -> bool:
        """One row for each user, of no tenant."""
        tenancy, relation = self.tenancy[name], self.catalog.relations.get(name)
        owner = tenancy.owner.path if tenancy.owner is not None and tenancy.tenant is None else ()
        return relation is not None and bool(owner) and relation.primary_key == owner

    @cached_property
    def relations(self) -> tuple[Relation, ...]:
        """The relations that are checked, sorted by name."""
        found = self.catalog.in_schemas(self.scenario.database.schemas)
        return tuple(
            relation
            for relation in found
            if relation.kind is not RelationKind.FOREIGN and self._ours(relation) and self._wanted(relation.name)
        )

    @cached_property
    def gaps(self) -> tuple[Gap, ...]:
        """What is in the schemas and is not checked, with the reason."""
        found = self.catalog.in_schemas(self.scenario.database.schemas)
        foreign = [
            Gap(object=str(relation.name), reason="a foreign table: its rows live in another server")
            for relation in found
            if relation.kind is RelationKind.FOREIGN
        ]
        platform = [
            Gap(object=str(relation.name), reason="a table of the platform that the scenario does not mention")
            for relation in found
            if not self._ours(relation)
        ]
        return (*foreign, *platform)

    def callable_by(self, held: frozenset[str]) -> Iterable[Function]:
        """The application's functions in the schemas of the scenario that these roles may execute."""
        for function in self.catalog.functions:
            exposed = function.name.schema in self.scenario.database.schemas
            exposed = exposed and function.name.schema not in PLATFORM_SCHEMAS
            plain = function.kind in ("f", "p") and function.returns not in ("trigger", "event_trigger")
            if exposed and plain and function.executable_by & held:
                yield function

    @property
    def callers(self) -> frozenset[str]:
        """All privileges that any persona has."""
        return frozenset[str]().union(*(self.catalog.privileges_of(who.role) for who in self.identities.values()))

    @property
    def uncalled(self) -> tuple[Gap, ...]:
        """Functions that a persona may call, where only the matrix is run."""
        return tuple(
            Gap(
                object=f"{function.name}({function.identity})",
                reason="a function that personas may call: without the search only tables and views are tried",
            )
            for function in self.callable_by(self.callers)
        )

    @cached_property
    def watches(self) -> Mapping[QName, Watch]:
        """How the observer reads each relation whose rows are known to belong to somebody."""
        return {
            relation.name: watch(
                relation, self.tenancy_of(relation.name), self._predicates(relation.name), self.catalog
            )
            for relation in self._watched()
        }

    def _predicates(self, name: QName) -> tuple[str, ...]:
        """What the observer asks of each row: the scenario's predicates, and who is what in a membership table."""
        asked = predicates_of(self.scenario, name)
        for membership in self.scenario.memberships:
            if membership.table == name and membership.role is not None:
                asked += tuple(has_role(membership, role) for role in self.scenario.roles)
        return asked

    def tenancy_of(self, name: QName) -> Tenancy:
        """The relation's tenancy; a partition has that of its root."""
        known = self.tenancy.get(name) or self.tenancy.get(self.oracle.partitions.get(name, name))
        return known or Tenancy()

    @cached_property
    def wake(self) -> Wake:
        """What a write to a relation may write to beside it."""
        return Wake(self.catalog)

    @cached_property
    def hidden_writers(self) -> frozenset[tuple[QName, Command]]:
        """Relations and commands of which a row count of 0 does not mean that nothing happened."""
        return hidden_writers(self.catalog)

    @cached_property
    def users(self) -> frozenset[QName]:
        """The tables that hold the users: what the memberships' user columns refer to."""
        found = {QName("auth", "users")} & self.catalog.relations.keys()
        for membership in self.scenario.memberships:
            for key in self.catalog.relations[membership.table].foreign_keys:
                if key.columns == (membership.user,) and key.references is not None:
                    found.add(key.references)
        return frozenset(found)

    def _user_columns(self, relation: Relation) -> tuple[str, ...]:
        keys = (key for key in relation.foreign_keys if key.references in self.users and len(key.columns) == 1)
        return tuple(key.columns[0] for key in keys)

    @cached_property
    def _referring(self) -> Mapping[QName, tuple[QName, ...]]:
        found: dict[QName, list[QName]] = {}
        for name, relation in sorted(self.catalog.relations.items()):
            for foreign_key in relation.foreign_keys:
                target = foreign_key.references
                if target is None or target == name or relation.parent:
                    continue
                if name not in self.consulted.get(target, ()):
                    found.setdefault(target, []).append(name)
        return {name: tuple(dict.fromkeys(referring)) for name, referring in found.items()}

    @cached_property
    def _plain_columns(self) -> Mapping[QName, tuple[str, ...]]:
        return {name: plain_columns(relation) for name, relation in self.catalog.relations.items()}

    def before(self, persona: Persona, relation: Relation, rows: tuple[Row, ...]) -> Stand:
        """Where *persona* stands before *relation*, reading it, or writing to it where it is a table."""
        return self._stand(persona, relation, relation, rows)

    def behind(self, persona: Persona, view: Relation, rows: Mapping[QName, tuple[Row, ...]]) -> Stand:
        """Where *persona* stands when writing through *view*: before the table below it.

        Raises LookupError for a view below which there is no table.
        """
        below = self.below(view)
        if not below:
            raise LookupError(str(view.name))
        return self._stand(persona, self.catalog.relations[below[0]], view, rows.get(below[0], ()))

    def _stand(self, persona: Persona, relation: Relation, through: Relation, rows: tuple[Row, ...]) -> Stand:
        role = self.identities[persona.name].role
        return Stand(
            persona=persona,
            relation=relation,
            through=through.name,
            visible=frozenset(through.column_names),
            tenancy=self.tenancy_of(relation.name),
            rows=rows,
            drafts=self.manifest.drafts.get(relation.name, ()),
            oracle=self.oracle,
            tenant_ids=self.manifest.tenant_ids,
            privileges=self.privileges(role, through),
            consulted=relation.name in self.consulted.get(relation.name, ()),
            watch=self._reach[through.name],
            referring=self._referring.get(relation.name, ()),
            predicates=predicates_of(self.scenario, relation.name),
            user_columns=self._user_columns(relation),
            plain_columns=self._plain_columns[relation.name],
            membership=next((m for m in self.scenario.memberships if m.table == relation.name), None),
            roles=self.scenario.roles,
        )

    def _wanted(self, name: QName) -> bool:
        return self.only is None or name in self.only

    def _ours(self, relation: Relation) -> bool:
        if self.scenario.database.platform is not Platform.SUPABASE or relation.name.schema not in PLATFORM_SCHEMAS:
            return True
        said = {*self.scenario.tables, *(line.table for line in self.scenario.expectations if line.table)}
        return relation.name in said or _root(self.catalog, relation.name) in said

    def _watched(self) -> Iterable[Relation]:
        checked = {relation.name for relation in self.relations}
        for relation in self.relations:
            checked.update(name for reached in self._reach[relation.name].values() for name in reached)
        return (self.catalog.relations[name] for name in sorted(checked) if name in self.catalog.relations)

    @cached_property
    def _reach(self) -> Mapping[QName, Mapping[Command, tuple[QName, ...]]]:
        """What a command on the relation can change: the tables below it, and what triggers and cascades reach."""

        def reached(relation: Relation, command: Command) -> tuple[QName, ...]:
            below = self.below(relation)
            written = (self.catalog.relations[name] for name in (relation.name, *below))
            further = sorted({name for table in written for name in self.wake.of(table, command)})
            known = (name for name in further if self.tenancy_of(name).tenant is not None)
            return tuple(dict.fromkeys((*below, *known)))

        return {
            relation.name: {command: reached(relation, command) for command in Command} for relation in self.relations
        }

    def below(self, relation: Relation) -> tuple[QName, ...]:
        """The tables whose rows a write to the relation can change: itself, or those below a view."""
        if relation.kind is not RelationKind.VIEW:
            return (relation.name,)
        below: list[QName] = []
        for name in relation.base_relations:
            base = self.catalog.relations.get(name)
            if base is not None:
                below.extend(self.below(base))
        return tuple(dict.fromkeys(below))

    def privileges(self, role: str, relation: Relation) -> frozenset[tuple[str, str | None]]:
        """Pairs of privilege and column (None: the whole relation) that the role holds."""
        held_by = self.catalog.privileges_of(role)
        if relation.owner in held_by or (role in self.catalog.roles and self.catalog.roles[role].superuser):
            return frozenset((name, None) for name in ("SELECT", "INSERT", "UPDATE", "DELETE"))
        return frozenset((grant.privilege, grant.column) for grant in relation.grants if grant.grantee in held_by)


def _root(catalog: Catalog, name: QName) -> QName | None:
    """The partitioned table at the top, for a partition; None for anything else."""
    parent = catalog.relations[name].parent
    if parent is None or not catalog.relations[name].partition_bound:
        return None
    return _root(catalog, parent) or parent
