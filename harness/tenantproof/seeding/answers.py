"""What the database says to a row: that it went in, or why it did not."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

INSERTED = "TP000"
"""The probe's own SQLSTATE: the row went in, and was taken back."""

SKIPPED = "TP001"
"""The probe's own SQLSTATE: a trigger left the row out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """SQLSTATE and message, and what the refusal names."""

    sqlstate: str
    message: str
    constraint: str = ""
    column: str = ""
    datatype: str = ""

    @property
    def accepted(self) -> bool:
        return self.sqlstate == INSERTED

    @property
    def by_code(self) -> bool:
        """Whether it is somebody's code that refuses (a trigger), not a type and no constraint of the table."""
        if self.sqlstate.startswith("23"):
            return not (self.constraint or self.column or self.datatype)
        return not self.sqlstate.startswith("22")


def refusal(error: psycopg.Error) -> Answer:
    """A server's error; the message without its detail, which would quote values."""
    diagnosis = error.diag
    return Answer(
        sqlstate=error.sqlstate or "",
        message=diagnosis.message_primary or str(error).splitlines()[0],
        constraint=diagnosis.constraint_name or "",
        column=diagnosis.column_name or "",
        datatype=diagnosis.datatype_name or "",
    )
