"""A C-CDA document as a page for people."""

from carebus_converter.domain.page.html import page

__all__ = ["page"]
