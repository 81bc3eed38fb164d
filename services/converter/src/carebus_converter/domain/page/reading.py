"""What a page needs of a C-CDA document that may come from anybody: header and narrative, as a small tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from carebus_contracts.errors import InvalidMessage

MOST_BYTES = 64 * 1024 * 1024
"""A person with 20,000 measurements has 19 MB; more is no document that people look at."""

_DEEPEST = 100
_SPACES = frozenset({"urn:hl7-org:v3", "urn:hl7-org:sdtc"})
_NOT_SHOWN = frozenset({"entry", "signatureText", "nonXMLBody", "observationMedia"})
"""Large parts that no page shows."""


@dataclass(slots=True)
class Element:
    """One element by its local name; an element of no HL7 namespace has an empty one."""

    name: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    def elements(self, *names: str) -> Iterator[Element]:
        """Yield the child elements of these names."""
        return (child for child in self.children if isinstance(child, Element) and child.name in names)

    def first(self, *path: str) -> Element | None:
        """Return the first element down a path."""
        found: Element | None = self
        for name in path:
            found = next(found.elements(name), None) if found else None
        return found

    @property
    def text(self) -> str:
        """All text inside, blanks joined."""
        return " ".join("".join(self._texts()).split())

    def _texts(self) -> Iterator[str]:
        for child in self.children:
            if isinstance(child, str):
                yield child
            else:
                yield from child._texts()
                yield " "


def read(document: bytes) -> Element:
    """Return the ClinicalDocument without its entries.

    Raises:
        InvalidMessage: It is too large, not well-formed, has a DTD or is no C-CDA document. The
            sentence names the place, never content.
    """
    if len(document) > MOST_BYTES:
        raise InvalidMessage(f"the document is larger than {MOST_BYTES // 1024 // 1024} MB")
    reader = _Reader()
    try:
        reader.parser.Parse(document, True)
    except expat.ExpatError as error:
        fault = expat.ErrorString(error.code) or "damaged"
        raise InvalidMessage(
            f"the file is no well-formed XML: {fault}, line {error.lineno}, column {error.offset}"
        ) from None
    except (LookupError, ValueError):
        raise InvalidMessage("the file is in a character encoding that XML readers do not know") from None
    root = reader.root
    if root is None or root.name != "ClinicalDocument":
        raise InvalidMessage("the file is XML, but no C-CDA document: its root is no ClinicalDocument of HL7")
    return root


class _Reader:
    """Builds the tree; refuses a DTD before any entity could mean something."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._skipped = 0
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def _refuse(self, *_: object) -> None:
        raise InvalidMessage("the file has a DTD, which a C-CDA document never has; it was not read")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        space, _, name = tag.rpartition(" ")
        if self._skipped or name in _NOT_SHOWN:
            self._skipped += 1
            return
        if len(self._open) >= _DEEPEST:
            raise InvalidMessage(f"elements stand more than {_DEEPEST} deep in each other")
        element = Element(name if space in _SPACES else "", attributes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _end(self, _tag: str) -> None:
        if self._skipped:
            self._skipped -= 1
        else:
            self._open.pop()

    def _text(self, text: str) -> None:
        if self._open and not self._skipped:
            self._open[-1].children.append(text)
