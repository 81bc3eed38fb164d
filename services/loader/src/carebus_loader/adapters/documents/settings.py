"""Where documents go."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from carebus_runtime.settings import Settings


class DocumentsSettings(Settings):
    """Settings of the document store."""

    model_config = SettingsConfigDict(env_prefix="CAREBUS_DOCUMENTS_")

    url: str = Field(default="file://.carebus/documents", description="fsspec URL of the root folder.")
    parallel: int = Field(default=8, ge=1, le=64, description="Objects read or written at once.")
