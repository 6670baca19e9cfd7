"""
Text from a database is hostile: names and values may hold escape sequences, bidirectional overrides, line breaks.

Everything that a person reads passes through here first: characters that would not print are shown as
their escape (`\\u202e`), so that what is displayed is what is there.  Formats for machines (JSON) keep the text
as it is and rely on their own escaping.
"""

from __future__ import annotations


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def visible(text: str) -> str:
    """Text of several lines: line breaks and tabs stay, anything else that would not print is escaped."""
    if text.isprintable():
        return text
    lines = text.replace("\r\n", "\n")
    return "".join(char if char.isprintable() or char in "\n\t" else _escape(char) for char in lines)


def one_line(text: str) -> str:
    """Text of one line, such as a name: line breaks and tabs are escaped as well."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)
