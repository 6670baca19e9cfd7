"""
Migration tools: whose migrations a folder holds, and in which order it runs them.

A tool is one module with a `Tool`; the first that fits a folder reads it.  Nothing here runs SQL.
"""

from __future__ import annotations

from pathlib import Path

from tenantproof.targets.tools.layout import Layout, Tool


def recognise(folder: Path) -> str | None:
    """The name of the tool whose folder this is ("plain" for SQL files of no tool), or None where there is no SQL."""
    tool = _tool(folder)
    return tool.name if tool is not None else None


def lay_out(folder: Path) -> Layout:
    """The files of a folder in the order its tool runs them.

    Raises TargetError for a folder without migrations, a tool that is not supported, and what the tool refuses.
    """
    from tenantproof.targets.tools import nothing

    tool = _tool(folder)
    if tool is None:
        raise nothing.found(folder)
    return tool.layout(folder)


def _tool(folder: Path) -> Tool | None:
    return next((tool for tool in tools() if tool.fits(folder)), None)


def tools() -> tuple[Tool, ...]:
    """All tools, those with the surest signs first."""
    from tenantproof.targets.tools import (
        both_ways,
        drizzle,
        flyway,
        golang_migrate,
        plain,
        prisma,
        rails,
        supabase,
        unsupported,
    )

    return (
        unsupported.SQITCH,
        supabase.TOOL,
        drizzle.TOOL,
        prisma.TOOL,
        golang_migrate.PER_FOLDER,
        golang_migrate.TOOL,
        flyway.TOOL,
        rails.TOOL,
        both_ways.DBMATE,
        both_ways.GOOSE,
        plain.TOOL,
        unsupported.LIQUIBASE,
    )
