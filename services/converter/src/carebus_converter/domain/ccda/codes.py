"""Code systems, and OMOP concepts as coded elements."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from carebus_contracts.omop.bundle import ConceptInUse
from carebus_converter.domain.ccda.text import clean

LOINC = "2.16.840.1.113883.6.1"
SNOMED = "2.16.840.1.113883.6.96"
ACT_CODE = "2.16.840.1.113883.5.4"
TEMPLATES = "2.16.840.1.113883.10.20.22"

SYSTEMS = {
    "SNOMED": (SNOMED, "SNOMED CT"),
    "RxNorm": ("2.16.840.1.113883.6.88", "RxNorm"),
    "LOINC": (LOINC, "LOINC"),
    "ICD10CM": ("2.16.840.1.113883.6.90", "ICD-10-CM"),
    "ICD9CM": ("2.16.840.1.113883.6.103", "ICD-9-CM"),
    "ICD10PCS": ("2.16.840.1.113883.6.4", "ICD-10-PCS"),
    "ICD9Proc": ("2.16.840.1.113883.6.104", "ICD-9-CM procedures"),
    "ICD10": ("2.16.840.1.113883.6.3", "ICD-10"),
    "CPT4": ("2.16.840.1.113883.6.12", "CPT-4"),
    "HCPCS": ("2.16.840.1.113883.6.285", "HCPCS"),
    "CVX": ("2.16.840.1.113883.12.292", "CVX"),
    "NDC": ("2.16.840.1.113883.6.69", "NDC"),
    "ATC": ("2.16.840.1.113883.6.73", "ATC"),
    "CDT": ("2.16.840.1.113883.6.13", "CDT"),
    "NUCC": ("2.16.840.1.113883.6.101", "NUCC Provider Taxonomy"),
    "MeSH": ("2.16.840.1.113883.6.177", "MeSH"),
    "VANDF": ("2.16.840.1.113883.6.233", "VANDF"),
    "UNII": ("2.16.840.1.113883.4.9", "UNII"),
    "NCIt": ("2.16.840.1.113883.3.26.1.1", "NCI Thesaurus"),
}
"""OMOP vocabularies that HL7 knows, as OID and name. The OMOP-made ones (RxNorm Extension, OMOP
Extension, PPI) have none: their concepts become ``nullFlavor="OTH"`` with the name as text."""

UNNAMED = "Not named in the source"


class Coded(NamedTuple):
    """One coded element, and what a reader sees of it (escaped)."""

    xml: str
    label: str


Coder = Callable[[ConceptInUse | None, ConceptInUse | None, str | None], Coded]
"""Renders concept, source concept and source value. Cached: concepts recur, rows do not."""


@lru_cache(maxsize=65_536)
def _shared(concept: ConceptInUse) -> ConceptInUse:
    """Return the one object for equal concepts: caches then compare by identity."""
    return concept


class Concepts(dict[int | None, ConceptInUse | None]):
    """Concepts of a bundle by id: None for 0 and NULL, a nameless one for an id without a row."""

    def __init__(self, known: Mapping[int, ConceptInUse]) -> None:
        super().__init__({concept_id: _shared(concept) for concept_id, concept in known.items()})
        self[0] = self[None] = None

    def __missing__(self, concept_id: int | None) -> ConceptInUse | None:
        return ConceptInUse(concept_id or 0, None, None, None, None, None)


def fixed(tag: str, code: str, system: str, name: str, inner: str = "") -> str:
    """Return an element with a code that the standard fixes (``tag`` may carry an xsi:type)."""
    system_name = next((n for oid, n in SYSTEMS.values() if oid == system), "")
    named = f' codeSystemName="{system_name}"' if system_name else ""
    start = f'<{tag} code="{code}" codeSystem="{system}"{named} displayName="{name}"'
    return f"{start}>{inner}</{tag.split(maxsplit=1)[0]}>" if inner else f"{start}/>"


def template(oid: str, *extensions: str) -> str:
    """Return a templateId in each version and bare: older validators look for the bare one.

    Args:
        oid: Below the C-CDA arc, or a whole OID.
        extensions: Versions, as dates.
    """
    root = oid if oid.startswith("2.16.") else f"{TEMPLATES}.{oid}"
    versions = "".join(f'<templateId root="{root}" extension="{version}"/>' for version in extensions)
    return f'{versions}<templateId root="{root}"/>'


def coder(tag: str, home: str, *, attributes: str = "", also: bool = False) -> Coder:
    """Return a renderer of concepts as ``tag``.

    A concept outside the wanted code system becomes ``nullFlavor="OTH"`` with its name as original
    text and its code as translation. The wanted ``codeSystem`` then still stands there, because
    OpenEMR's import skips problems without it.

    Args:
        tag: Element name.
        home: OMOP vocabulary whose codes the template wants.
        attributes: What else the start tag carries.
        also: Whether every code system that HL7 knows is as good.
    """
    start = f"<{tag} {attributes}" if attributes else f"<{tag}"
    home_oid = SYSTEMS[home][0]

    @lru_cache(maxsize=32_768)
    def render(concept: ConceptInUse | None, source: ConceptInUse | None, text: str | None) -> Coded:
        label = label_of(concept, source, text)
        codes = [given for given in (concept, source) if given and code_attributes(given)]
        fit = next((given for given in codes if also or given.vocabulary_id == home), None)
        translations = "".join(
            f"<translation {code_attributes(given)}/>" for given in dict.fromkeys(codes) if given is not fit
        )
        words = _words_of_the_source(concept, source, text)
        if fit:
            head = f"{start} {code_attributes(fit)}"
            original = f"<originalText>{words}</originalText>" if words else ""
            inner = original + translations
            return Coded(f"{head}>{inner}</{tag}>" if inner else f"{head}/>", label)
        unknown = "UNK" if concept is None and not codes else f'OTH" codeSystem="{home_oid}'
        original = name_of(concept, source) or words or label
        if words and words != original:
            translations += (
                f'<translation nullFlavor="OTH"><originalText>{words}</originalText></translation>'
            )
        original = f"<originalText>{original}</originalText>"
        return Coded(f'{start} nullFlavor="{unknown}">{original}{translations}</{tag}>', label)

    def render_any(concept: ConceptInUse | None, source: ConceptInUse | None, text: str | None) -> Coded:
        if text is not None and len(text) > _LONG:
            return render.__wrapped__(concept, source, text)
        return render(concept, source, text)

    return render_any


_LONG = 255
"""Longer texts than the CDM's columns hold are not kept in memory: a hostile source has many."""


def _words_of_the_source(concept: ConceptInUse | None, source: ConceptInUse | None, text: str | None) -> str:
    """Return the source value, unless it only repeats a code or a name that stands there anyway."""
    words = clean(text)
    if not words:
        return ""
    said = {name_of(concept, source)}
    for given in (concept, source):
        if given and code_attributes(given):
            said |= {clean(given.concept_code), clean(given.concept_name)}
    return "" if words in said else words


@lru_cache(maxsize=65_536)
def code_attributes(concept: ConceptInUse) -> str:
    """Return code, system and names of a concept; "" when HL7 has no name for its code system.

    A code with blanks is no code in HL7 (type ``cs``).
    """
    system = SYSTEMS.get(concept.vocabulary_id or "")
    code = clean(concept.concept_code)
    if system is None or not code or " " in code or "&" in code:
        return ""
    name = clean(concept.concept_name)
    shown = f' displayName="{name}"' if name else ""
    return f'code="{code}" codeSystem="{system[0]}" codeSystemName="{system[1]}"{shown}'


def name_of(concept: ConceptInUse | None, source: ConceptInUse | None) -> str:
    """Return what the vocabulary calls it, the standard concept's name first; "" when it has none."""
    return (clean(concept.concept_name) if concept else "") or (clean(source.concept_name) if source else "")


def label_of(concept: ConceptInUse | None, source: ConceptInUse | None, text: str | None) -> str:
    """Return the best name for people: a concept's, then the source's words; a bare code is called one."""
    if name := name_of(concept, source):
        return name
    words = clean(text)
    if words:
        return f"Unnamed, code {words} of the source" if _BARE_CODE(words) else words
    return f"OMOP concept {concept.concept_id}" if concept else UNNAMED


_BARE_CODE = re.compile(r"[A-Z]{0,4}[0-9]{2,}[0-9A-Z.:_/-]*").fullmatch
"""``J45.909``, ``195967001``, ``LA6751-7``: nothing that a clinician should have to read as a name."""
