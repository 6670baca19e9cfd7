"""`tenantproof.toml`, or `[tool.tenantproof]` of pyproject.toml: where it is found, and what it may say."""

from tenantproof.config.discovery import find_config
from tenantproof.config.reading import Config, read_config

__all__ = ["Config", "find_config", "read_config"]
