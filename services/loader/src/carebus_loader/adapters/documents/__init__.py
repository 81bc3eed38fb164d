"""C-CDA documents as immutable objects under an fsspec URL."""

from carebus_loader.adapters.documents.settings import DocumentsSettings
from carebus_loader.adapters.documents.store import DocumentStore

__all__ = ["DocumentStore", "DocumentsSettings", "open_documents"]


def open_documents() -> DocumentStore:
    """Make the store that the environment describes."""
    return DocumentStore(DocumentsSettings.load())
