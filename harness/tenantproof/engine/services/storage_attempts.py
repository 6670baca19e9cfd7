"""What somebody tries at another tenant's files in one bucket: every operation of Storage, plain and with tricks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from tenantproof.core.catalog import Relation
from tenantproof.core.model import Command, Persona
from tenantproof.core.ports import Identity
from tenantproof.engine.plan import Plan
from tenantproof.engine.replay import timeless
from tenantproof.engine.scripts import as_observer, as_persona
from tenantproof.engine.services import storage_sql as sql_of
from tenantproof.engine.services.cast import Pair, bystanders
from tenantproof.engine.services.layouts import Layout
from tenantproof.engine.services.names import WILDCARDS, odd_names, resembling
from tenantproof.engine.services.patterns import USER
from tenantproof.engine.services.probes import Look, Probe
from tenantproof.engine.services.sessions import storage_identity
from tenantproof.engine.services.tenants import Parties, Party, claiming, renamed, with_value

PLAIN = "the plain name"
READS = frozenset({"list", "get"})
COMMANDS = {
    "list": Command.SELECT,
    "get": Command.SELECT,
    "upload": Command.INSERT,
    "upsert": Command.UPDATE,
    "move": Command.UPDATE,
    "delete": Command.DELETE,
}
_AT_A_FILE = ("list", "get", "upsert", "move", "delete")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """A file of the victim's: under which name it lies, how it came there, and what is special about it."""

    channel: str
    trick: str
    name: str
    owner: str | None
    by_the_victim: bool = False
    base: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """Everything that is tried at one layout.  `login`: whether the session user is to be Storage's."""

    plan: Plan
    parties: Parties
    objects: Relation
    layout: Layout
    login: bool

    def plain(self, pair: Pair) -> Iterator[Probe]:
        """With the names that the application itself gives."""
        place = self.layout.place(self.parties, pair.foreign, pair.victim)
        if place is None:
            return
        bucket, name = place
        if self.layout.writes:
            yield self._upload(pair, "STORAGE-FOLDER", PLAIN, bucket, name, sure=True, base=True)
            yield from self._rename_into(pair, "STORAGE-FOLDER", PLAIN, bucket, name, sure=True, base=True)
        target = _Target(channel="STORAGE-FOLDER", trick=PLAIN, name=name, owner=pair.victim.user_id, base=True)
        yield from self._at(pair, bucket, target, self._identity_of(pair.attacker), ())

    def tricky(self, pair: Pair) -> Iterator[Probe]:
        """With odd names, files that lie oddly, and tenants that are called like others."""
        place = self.layout.place(self.parties, pair.foreign, pair.victim)
        if place is not None:
            yield from self._odd_names(pair, *place)
            yield from self._odd_files(pair, *place)
        yield from self._resemblances(pair)

    def _odd_names(self, pair: Pair, bucket: str, name: str) -> Iterator[Probe]:
        theirs, mine = self._folders(pair)
        if not self.layout.writes or theirs not in name:
            return
        for words, odd in odd_names(name, theirs, mine):
            yield self._upload(pair, "STORAGE-NAME", words, bucket, odd)
            yield from self._rename_into(pair, "STORAGE-NAME", words, bucket, odd)

    def _odd_files(self, pair: Pair, bucket: str, name: str) -> Iterator[Probe]:
        theirs, mine = self._folders(pair)
        file, owner = name.rpartition("/")[2], pair.victim.user_id
        targets = [_Target(channel="STORAGE-OWNER", trick="a file without an owner", name=name, owner=None)]
        if theirs in name:
            words = "a file without a folder"
            targets.append(_Target(channel="STORAGE-ROOT", trick=words, name=file, owner=owner, by_the_victim=True))
        if mine and theirs in name:
            deeper = name.removesuffix(file) + f"{mine}/{file}"
            words = "a file in a folder of the other's that is called like the own one"
            targets.append(_Target(channel="STORAGE-NAME", trick=words, name=deeper, owner=owner, by_the_victim=True))
        for target in targets:
            yield from self._at(pair, bucket, target, self._identity_of(pair.attacker), ())

    def _resemblances(self, pair: Pair) -> Iterator[Probe]:
        """The attacker's tenant is called so that it may be taken for the victim's."""
        slot = self.layout.slot
        if slot == USER or pair.home is None or not self.parties.chosen(slot):
            return
        home, foreign = self.parties.by_name[pair.home], self.parties.by_name[pair.foreign]
        called, theirs = home.values(None).get(slot), foreign.values(None).get(slot)
        if called is None or theirs is None:
            return
        if self.parties.numbered(slot):
            longer = f"{called}7"
            stage = renamed(self.plan, self.parties, foreign, slot, longer)
            words = "a number that begins with the own one"
            yield from self._resembling(
                pair, words, stage, with_value(foreign, slot, longer), self._identity_of(pair.attacker)
            )
            return
        for words, value in resembling(theirs):
            stage = renamed(self.plan, self.parties, home, slot, value)
            identity = claiming(self._identity_of(pair.attacker), called, value)
            yield from self._resembling(pair, words, stage, foreign, identity)

    def _resembling(
        self, pair: Pair, words: str, stage: tuple[str, ...] | None, foreign: Party, identity: Identity
    ) -> Iterator[Probe]:
        values = foreign.values(pair.victim)
        bucket, name = self.layout.bucket.filled(values), self.layout.name.filled(values)
        if stage is None or bucket is None or name is None:
            return
        if self.layout.writes:
            yield self._upload(pair, "STORAGE-PREFIX", words, bucket, name, identity=identity, stage=stage, sure=True)
        target = _Target(channel="STORAGE-PREFIX", trick=words, name=name, owner=pair.victim.user_id)
        yield from self._at(pair, bucket, target, identity, stage)

    def _at(
        self, pair: Pair, bucket: str, target: _Target, identity: Identity, stage: tuple[str, ...]
    ) -> Iterator[Probe]:
        """Everything that can be done to a file that is there."""
        for operation in _AT_A_FILE:
            act, looks = self._act(operation, pair, bucket, target.name)
            yield Probe(
                channel=target.channel,
                object=bucket,
                command=COMMANDS[operation],
                operation=operation,
                trick=target.trick,
                identity=storage_identity(identity, operation, bucket, target.name, login=self.login),
                act=act,
                setup=(stage, self._put(pair, bucket, target)),
                looks=looks,
                base=target.base,
                api=sql_of.is_valid_key(target.name),
                row=_row(bucket, target.name, target.owner),
                against=f"a file of {pair.foreign}'s, {pair.victim.name}",
            )

    def _act(self, operation: str, pair: Pair, bucket: str, name: str) -> tuple[str, tuple[Look, ...]]:
        me = pair.attacker.user_id
        if operation == "list":
            return sql_of.listing(bucket, name), ()
        if operation == "get":
            return sql_of.get(bucket, name), ()
        if operation == "upsert":
            return sql_of.upsert(self.objects, bucket, name, me), (Look(query=sql_of.is_overwritten(bucket, name)),)
        if operation == "move":
            own = self._own(pair)
            mine = own[1] if own is not None else f"{pair.attacker.name}/tp-file.txt"
            taken = (Look(query=sql_of.is_there(bucket, mine)), Look(query=sql_of.is_gone(bucket, name)))
            return sql_of.move(bucket, name, mine, me), taken
        return sql_of.remove(bucket, name), (Look(query=sql_of.is_gone(bucket, name)),)

    def _put(self, pair: Pair, bucket: str, target: _Target) -> tuple[str, ...]:
        """The observer puts the file there; or the victim does, where nobody knows whether that is possible."""
        if not target.by_the_victim:
            return (sql_of.plant(bucket, target.name, target.owner),)
        who = timeless(self._identity_of(pair.victim))
        victim = storage_identity(who, "upload", bucket, target.name, login=self.login)
        return (*as_persona(victim), sql_of.upload(bucket, target.name, target.owner), as_observer())

    def _upload(
        self,
        pair: Pair,
        channel: str,
        trick: str,
        bucket: str,
        name: str,
        *,
        sure: bool = False,
        base: bool = False,
        identity: Identity | None = None,
        stage: tuple[str, ...] = (),
    ) -> Probe:
        """A new file under the victim's name, or one that looks like it."""
        who = identity or self._identity_of(pair.attacker)
        return Probe(
            channel=channel,
            object=bucket,
            command=Command.INSERT,
            operation="upload",
            trick=trick,
            identity=storage_identity(who, "upload", bucket, name, login=self.login),
            act=sql_of.upload(bucket, name, pair.attacker.user_id),
            setup=(stage,) if stage else (),
            looks=self._lies_there(pair, bucket, name, sure=sure, everybodys=trick in WILDCARDS),
            base=base,
            api=sql_of.is_valid_key(name),
            row=_row(bucket, name, pair.attacker.user_id),
            against=f"the folder of {pair.foreign}",
        )

    def _rename_into(
        self, pair: Pair, channel: str, trick: str, bucket: str, name: str, *, sure: bool = False, base: bool = False
    ) -> Iterator[Probe]:
        """A file of one's own under the victim's name, or one that looks like it."""
        own, me = self._own(pair), pair.attacker.user_id
        if own is None or own[0] != bucket:
            return
        yield Probe(
            channel=channel,
            object=bucket,
            command=Command.UPDATE,
            operation="move",
            trick=f"a file of one's own renamed to {trick}",
            identity=storage_identity(self._identity_of(pair.attacker), "move", bucket, name, login=self.login),
            act=sql_of.move(bucket, own[1], name, me),
            setup=((sql_of.plant(bucket, own[1], me),),),
            looks=self._lies_there(pair, bucket, name, sure=sure, everybodys=trick in WILDCARDS),
            base=base,
            api=sql_of.is_valid_key(name),
            row=_row(bucket, name, me),
            against=f"the folder of {pair.foreign}",
        )

    def _lies_there(self, pair: Pair, bucket: str, name: str, *, sure: bool, everybodys: bool) -> tuple[Look, ...]:
        """Whether the name lies in the victim's folder.

        It does if it is the plain one, else if the victim sees it as theirs and bystanders do not.  A pattern of
        everybody's folders is in those of all members.
        """
        if sure:
            return (Look(query=sql_of.is_there(bucket, name)),)
        theirs = self._seen_by(pair.victim, bucket, name, shows=True)
        people = [who for who in bystanders(self.plan, pair) if not (everybodys and who.memberships)]
        others = (self._seen_by(who, bucket, name, shows=False) for who in people)
        return (theirs, *others)

    def _seen_by(self, persona: Persona, bucket: str, name: str, *, shows: bool) -> Look:
        identity = storage_identity(self._identity_of(persona), "list", bucket, name, login=self.login)
        return Look(query=sql_of.get(bucket, name), identity=identity, shows=shows)

    def _own(self, pair: Pair) -> tuple[str, str] | None:
        return self.layout.place(self.parties, pair.home, pair.attacker) if pair.home else None

    def _folders(self, pair: Pair) -> tuple[str, str]:
        """What stands for the victim and for the attacker in names."""
        slot = self.layout.slot
        theirs = self.parties.by_name[pair.foreign].values(pair.victim).get(slot, "")
        mine = self.parties.by_name[pair.home].values(pair.attacker).get(slot, "") if pair.home else ""
        return theirs, mine

    def _identity_of(self, persona: Persona) -> Identity:
        return self.plan.identities[persona.name]


def _row(bucket: str, name: str, owner: str | None) -> str:
    row = {"bucket_id": bucket, "name": name, "owner_id": owner, "path_tokens": name.split("/"), "owner": owner}
    return json.dumps(row)
