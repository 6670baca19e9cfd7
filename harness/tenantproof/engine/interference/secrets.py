"""What nobody can guess: a value that only its holder knows opens what it is for, and that it does is no leak."""

from __future__ import annotations

import re

from tenantproof.core.catalog import Column

_SECRET_NAME = re.compile(
    r"(^|_)(token|secret|password|passwd|hash|digest|otp|nonce|salt|signature|jwt|credential|credentials|private_key)s?(_|$)"
    r"|(invite|invitation|share|join|access|verification|reset|magic|recovery|claim|redeem|confirm\w*)_?(code|key|link|id)$"
    r"|(api|access|signing|encryption)_?key"
)
_RANDOM_ID = r"(ulid|ksuid|cuid2?|nanoid|typeid)"
"""Ids of 80 random bits and more, as extensions, domains and functions are called that make them."""
_RANDOM_DEFAULT = re.compile(
    rf"gen_random|uuid_generate|random\(|md5\(|nanoid|encode\(|{_RANDOM_ID}\w*\"?\(", re.IGNORECASE
)
_RANDOM_TYPE = re.compile(rf"(^|\.)\"?({_RANDOM_ID}|uuid)\"?$", re.IGNORECASE)


def is_secret(column: Column, *, keyed: bool) -> bool:
    """Whether a value of the column is a bearer's: named so, or random without being the row's id."""
    if _SECRET_NAME.search(column.name.lower()):
        return True
    return not keyed and bool(_RANDOM_DEFAULT.search(column.default or ""))


def is_unguessable(column: Column) -> bool:
    """Whether a value is random: it can be known (from a link), and not be guessed."""
    by_type = any(_RANDOM_TYPE.search(name) for name in (column.type, column.base_type))
    return by_type or bool(_RANDOM_DEFAULT.search(column.default or ""))
