"""A person's records as a C-CDA document: pure, deterministic, valid under R2.1."""

from carebus_converter.domain.ccda.document import Document, document
from carebus_converter.domain.ccda.settings import DocumentSettings

__all__ = ["Document", "DocumentSettings", "document"]
