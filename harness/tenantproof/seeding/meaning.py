"""Text by the meaning of a column's name: Faker's words where the name says what is meant."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from faker import Faker


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a text value must carry: a number that no other row of the table has, and the tenant's canary."""

    number: int
    canary: str
    digest: str
    """Hex digits that are a function of seed, table, column and number."""


Maker = Callable[[Faker, Wish], str]


def _mark(wish: Wish) -> str:
    return f"{wish.canary}-{wish.number}"


_MEANINGS: tuple[tuple[str, Maker], ...] = (
    (r"e_?mail", lambda _, w: f"{_mark(w)}@example.com".lower()),
    (r"(^|_)(url|uri|link|href|website|webhook|avatar|image|logo|picture)(_|$)", lambda _, w: f"https://example.com/{_mark(w)}"),
    (r"(^|_)(hash|sha256|sha|digest|checksum|fingerprint|signature|etag)(_|$)", lambda _, w: w.digest),
    (r"(^|_)(token|secret|password|api_key|nonce|salt)(_|$)", lambda _, w: w.digest),
    (r"(^|_)phone|mobile|fax", lambda _, w: f"+1555{w.number:07d}"),
    (r"(^|_)(ip|ip_addr|ip_address|remote_addr)$", lambda _, w: f"10.0.{w.number // 250 % 250}.{w.number % 250 + 1}"),
    (r"user_agent", lambda f, _: f.user_agent()),
    (r"mime|content_type|media_type", lambda _, _w: "text/plain"),
    (r"(^|_)(file_?ext|extension)$", lambda _, w: f"e{w.number}"),
    (r"time_?zone|(^|_)tz$", lambda _, _w: "UTC"),
    (r"(^|_)(locale|lang|language)(_code)?$", lambda _, _w: "en"),
    (r"currency", lambda _, _w: "USD"),
    (r"country_code|(^|_)country$", lambda _, _w: "US"),
    (r"(^|_)(color|colour)$", lambda _, w: f"#{w.digest[:6]}"),
    (r"(^|_)(version|semver)$", lambda _, w: f"1.0.{w.number}"),
    (r"(^|_)cron|schedule_expression", lambda _, _w: "0 3 * * *"),
    (r"slug|subdomain|handle|username|(^|_)(key|code|identifier)$", lambda _, w: _mark(w)),
    (r"(^|_)domain(_name)?$|hostname|(^|_)host$", lambda _, w: f"{_mark(w)}.example.com"),
    (r"path|file_?name|storage_key", lambda _, w: f"{_mark(w)}.txt"),
    (r"first_name|given_name", lambda f, w: f"{f.first_name()} {_mark(w)}"),
    (r"last_name|family_name|surname", lambda f, w: f"{f.last_name()} {_mark(w)}"),
    (r"full_name|display_name|contact|person", lambda f, w: f"{f.name()} {_mark(w)}"),
    (r"company|organi[sz]ation", lambda f, w: f"{f.company()} {_mark(w)}"),
    (r"city|town", lambda f, w: f"{f.city()} {_mark(w)}"),
    (r"address|street", lambda f, w: f"{f.street_address()} {_mark(w)}"),
    (r"zip|postal", lambda _, w: f"{w.number:05d}"),
    (r"job|position_title", lambda f, w: f"{f.job()} {_mark(w)}"),
    (r"(^|_)name$|title|label", lambda f, w: f"{_mark(w)} {f.word()}"),
)  # fmt: skip
_COMPILED = tuple((re.compile(pattern), maker) for pattern, maker in _MEANINGS)


def text_for(column: str, faker: Faker, wish: Wish) -> str:
    """Text for a column of this name: what its name means, else a sentence that begins with the canary."""
    for pattern, maker in _COMPILED:
        if pattern.search(column.lower()):
            return maker(faker, wish)
    return f"{_mark(wish)} {faker.sentence(nb_words=4)}"


_FUTURE = re.compile(
    r"expire|expiry|_until$|ends?_at|end_date|due|valid_to|next_|scheduled|renew|deadline|current_period_end|not_after|trial_end"
)
_ABSENT = re.compile(
    r"(delet|revok|archiv|cancel|disabl|bann|block|suspend|lock|accept|consum|redeem|reject|declin|removed|dismiss"
    r"|deactivat|invalidat)\w*(_at|_on|_by|_until|_date)$|^used_at$|_reason$"
)  # fmt: skip
_ON = re.compile(r"(^|_)(is_)?(active|enabled|valid|verified|confirmed|current)$")


def is_future(column: str) -> bool:
    """Whether an instant in this column lies ahead while the row is in use (`expires_at`)."""
    return bool(_FUTURE.search(column.lower()))


def is_absent(column: str) -> bool:
    """Whether this column is empty while the row is in use (`deleted_at`, `revoked_by`)."""
    return bool(_ABSENT.search(column.lower()))


def is_on(column: str) -> bool:
    """Whether a flag of this name is true while the row is in use (`is_active`)."""
    return bool(_ON.search(column.lower()))


_PEOPLE = re.compile(
    r"(^|_)(user|owner|author|creator|actor|member|assignee|sender|recipient|uploader|inviter|reviewer)(_id)?$"
    r"|(created|updated|invited|uploaded|assigned|modified|published|requested|approved|triggered|performed)_by$"
)


def is_person(column: str) -> bool:
    """Whether a column without a foreign key holds a user's id, by its name."""
    return bool(_PEOPLE.search(column.lower()))
