"""The channels through Supabase's services, for findings and for formats that declare every kind of them."""

from __future__ import annotations

from collections.abc import Mapping

from tenantproof.channels.kinds import Kind, by_id
from tenantproof.core.finding import Severity

_ALL = (
    Kind(
        id="STORAGE-FOLDER",
        thing="…",
        title="Files in another tenant's folder of the bucket {object} are reached through Storage.",
        explanation="The folder in a file's name says whose it is. A policy that does not compare it for this "
        "operation (an upload, a rename, a removal) lets people into the folders of others.",
        fix="Compare (storage.foldername(name))[1] with the caller's tenant in every policy, and in WITH CHECK of "
        "UPDATE too: a rename is an UPDATE.",
        cwe=639,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="STORAGE-NAME",
        thing="…",
        title="An odd file name gets a file into another tenant's folder of the bucket {object}.",
        explanation="One policy decides whose a name is in another way than the next: the first finds the caller's own "
        "tenant somewhere in the name, the other finds the victim's. What was let in by one is shown by the other.",
        fix="Let every policy look at the same place of the name and compare it as a whole: "
        "(storage.foldername(name))[1] = the tenant, with =, not with LIKE, ANY or a regular expression.",
        cwe=22,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="STORAGE-PREFIX",
        thing="…",
        title="A tenant whose name resembles another's reaches that one's files in the bucket {object}.",
        explanation="Folders are called after something that tenants choose, and the comparison is not exact: a "
        "prefix, a pattern whose wildcards the tenant chooses, or letters that are folded. Whoever registers the "
        "right name reads the other's folder.",
        fix="Compare the whole first folder with =, call folders after random ids, or bind the names by a CHECK and a "
        "unique index over what is compared.",
        cwe=697,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="STORAGE-ROOT",
        thing="…",
        title="Files at the root of the bucket {object} are shared by all tenants.",
        explanation="A file without a folder lies in nobody's folder: (storage.foldername(name))[1] is NULL. A policy "
        "that lets such names pass lets everybody reach them.",
        fix="Refuse names without the tenant's folder (foldername(name)[1] IS NOT NULL), for uploads too; or declare "
        "such rows: system_rows: shared.",
        cwe=639,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="STORAGE-OWNER",
        thing="…",
        title="Files without an owner in the bucket {object} are open to other tenants.",
        explanation="What the backend uploads with the service role has no owner. A policy that treats a missing owner "
        "as everybody's opens those files to all tenants.",
        fix="Compare the folder as well as the owner, and never let owner_id IS NULL pass by itself.",
        cwe=639,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="STORAGE-BUCKET",
        thing="…",
        title="The settings of the bucket {object}, which tenants share, can be changed by one of them.",
        explanation="A public bucket is served without any policy. Whoever may update its row in storage.buckets makes "
        "all tenants' files public.",
        fix="Leave storage.buckets without policies for UPDATE and DELETE: buckets are the backend's.",
        cwe=732,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="STORAGE-PUBLIC",
        thing="…",
        title="The bucket {object} is public, and the scenario promises its files to their tenants alone.",
        explanation="Storage serves the files of a public bucket to everybody who knows or guesses the name, without "
        "a token and without asking a policy.",
        fix="UPDATE storage.buckets SET public = false, and hand out signed URLs; or say in the scenario that the "
        "files are for all.",
        cwe=552,
        severity=Severity.MEDIUM,
    ),
    Kind(
        id="REALTIME-READ",
        thing="…",
        title="Another tenant's private channel can be joined ({object}).",
        explanation="Whoever joins a private channel receives everything that is sent to it from then on. Realtime "
        "asks the SELECT policies of realtime.messages whether somebody may, for broadcast and for presence.",
        fix="Compare the tenant's part of realtime.topic() as a whole with the caller's tenants, for every extension.",
        cwe=639,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="REALTIME-WRITE",
        thing="…",
        title="Messages can be sent into another tenant's private channel ({object}).",
        explanation="Realtime asks the INSERT policies of realtime.messages whether somebody may send to a channel, "
        "for broadcast and for presence.",
        fix="Compare the tenant's part of realtime.topic() as a whole with the caller's tenants, for every extension.",
        cwe=639,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="REALTIME-BROADCAST",
        title="A trigger of {object} broadcasts rows into a channel that other tenants may join.",
        explanation="realtime.send and realtime.broadcast_changes put the row into a message, and whoever may join the "
        "topic receives it; the policies of the table are not asked.",
        fix="Make the tenant a part of the topic ('org:' || new.org_id), keep the channel private, and let its policy "
        "compare the tenant.",
        cwe=639,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="REALTIME-CHANGES",
        title="Changes of {object} are delivered to subscribers of other tenants.",
        explanation="For postgres_changes Realtime reads the changed row as the subscriber, with the role and the "
        "claims alone: no headers, no other settings. A policy that lets a session pass which sets nothing lets every "
        "subscriber receive every row.",
        fix="Let the policy rest on auth.uid() or auth.jwt(), and be false where a setting is missing.",
        cwe=639,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="REALTIME-DELETE",
        title="The keys of deleted rows of {object} go to subscribers of all tenants, and they are telling.",
        explanation="Realtime asks no policy about a DELETE: every subscriber of the table gets the primary key of the "
        "deleted row. A random key tells nothing; this one holds text. Judged from the publication and the key; no "
        "Realtime server was asked.",
        fix="Give the table a random primary key, take it out of the publication, or broadcast from a trigger into a "
        "private channel.",
        cwe=200,
        severity=Severity.MEDIUM,
    ),
    Kind(
        id="AUTH-AAL",
        title="The second factor opens or closes the wrong thing in {object}.",
        explanation="aal in the token says whether somebody signed in with a second factor. A permissive policy that "
        "asks for it is or-ed with the others: it opens rows instead of closing them. One for SELECT alone leaves "
        "writing to those without it.",
        fix="Write the policy AS RESTRICTIVE and FOR ALL.",
        cwe=287,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="AUTH-GUEST",
        title="An anonymous sign-in reaches rows of {object} that other strangers do not.",
        explanation="Everybody can sign in anonymously, as often as they like, and is then `authenticated` with "
        "is_anonymous in the token. A policy that opens something for that opens it for the world.",
        fix="Close with is_anonymous (AS RESTRICTIVE), never open with it; show guests what belongs to them alone.",
        cwe=287,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="AUTH-STALE",
        title="A token goes on opening {object} after the membership was removed.",
        explanation="The policies believe what the token says of its bearer's tenant. Tokens are not taken back: until "
        "this one expires (an hour by default) a removed member reaches what they reached before.",
        fix="Look the membership up where it is kept, or keep tokens short and accept the finding.",
        cwe=613,
        severity=Severity.LOW,
    ),
)

SERVICE_CHANNELS: Mapping[str, Kind] = by_id(_ALL)
