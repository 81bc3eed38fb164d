"""``carebus ccda render``: any document as a page that cannot harm, any other file as one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html

from carebus_contracts.errors import InvalidMessage
from carebus_converter.command import ccda
from carebus_converter.domain.page import page
from carebus_converter.domain.page.reading import MOST_BYTES
from unit.converter.ccda import factories as f
from unit.converter.ccda.factories import a_document

MINIMAL = (
    '<ClinicalDocument xmlns="urn:hl7-org:v3"><title>Note</title><component><structuredBody><component>'
    "<section><title>Plan</title><text>{}</text></section></component></structuredBody></component>"
    "</ClinicalDocument>"
)


def shown(document: str) -> html.HtmlElement:
    """Return the page of a document."""
    return html.document_fromstring(page(document.encode()))


def cells(tree: html.HtmlElement) -> list[str]:
    """Return the text of all table cells."""
    return [cell.text_content() for cell in tree.iter("td")]


def test_page_tells_who_and_then_each_section() -> None:
    """Header facts, then the narrative tables in the document's order."""
    made = a_document(
        f.a_person(month_of_birth=3), f.a_condition(), f.a_measurement(value_as_number=5.0), person_id=77
    )

    tree = shown(made.xml)

    facts = dict(
        zip(
            (e.text_content() for e in tree.iter("dt")),
            (e.text_content() for e in tree.iter("dd")),
            strict=True,
        )
    )
    assert facts["Sex"] == "Female"
    assert facts["Born"] == "1967-03"
    assert facts["Patient id"] == "77"
    assert facts["Period"] == "2020-03-14 to 2020-03-14"
    assert facts["Custodian"] == "General Hospital"
    assert facts["Document id"] == made.document_id
    assert [e.text_content() for e in tree.iter("h2")] == [
        "Allergies and Adverse Reactions",
        "Medications",
        "Problems",
        "Results",
        "Social History",
        "Vital Signs",
    ]
    assert cells(tree) == ["Asthma", "Active", "2020-03-14", "", "Glucose", "5", "", "", "2020-03-14"]


def test_page_loads_nothing_and_runs_nothing() -> None:
    """No script, no address, and a policy that forbids both."""
    text = page(a_document(f.a_condition()).xml.encode())
    tree = html.document_fromstring(text)

    assert "default-src 'none'" in text
    assert not list(tree.iter("script", "img", "link", "iframe", "object"))
    assert {a.get("href")[:9] for a in tree.iter("a")} == {"#section-"}
    assert "http:" not in text
    assert "https:" not in text


def test_narrative_of_other_makers_becomes_html() -> None:
    """Lists, paragraphs, styles; what HL7 does not know counts by its text alone."""
    told = (
        '<paragraph>one<br/>two</paragraph><list listType="ordered"><item>three</item></list>'
        '<content styleCode="Bold xRed">four</content><linkHtml href="javascript:alert(1)">five</linkHtml>'
        '<renderMultiMedia referencedObject="x"/><table onclick="bad()"><tbody><tr>'
        '<td colspan="2" style="x">six</td></tr></tbody></table>'
    )

    (section,) = shown(MINIMAL.format(told)).iter("section")

    inside = html.tostring(section, encoding="unicode")
    assert "<p>one<br>two</p><ol><li>three</li></ol>" in inside
    assert '<span class="bold">four</span>five<table><tbody><tr><td colspan="2">six</td>' in inside


@pytest.mark.parametrize(
    "element", ["<script xmlns='http://www.w3.org/1999/xhtml'>x()</script>", "<script>x()</script>"]
)
def test_script_in_a_narrative_is_only_text(element: str) -> None:
    """Whatever its namespace."""
    tree = shown(MINIMAL.format(element))

    assert not list(tree.iter("script"))


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Zs", "Zl", "Zp"])))
def test_any_text_survives_both_ways(text: str) -> None:
    """Record to document to page; markup in it stays text."""
    made = a_document(f.a_condition(condition_concept_id=0, condition_source_value=f"a {text} z"))

    first = cells(shown(made.xml))[0]

    assert first.split() == f"a {text} z".split()


BAD = [
    pytest.param(b"", "no well-formed XML: no element found, line 1", id="empty"),
    pytest.param(b"<a>", "no well-formed XML", id="cut-off"),
    pytest.param(b"\x00\x01\xff", "no well-formed XML", id="binary"),
    pytest.param(b"<note/>", "no C-CDA document", id="other-xml"),
    pytest.param(b"<ClinicalDocument/>", "no C-CDA document", id="no-namespace"),
    pytest.param(b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', "has a DTD", id="entities"),
    pytest.param(b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>', "has a DTD", id="outside-dtd"),
    pytest.param(b"<x>&a;</x>", "undefined entity", id="entity-without-dtd"),
    pytest.param(b'<?xml version="1.0" encoding="utf-77"?><x/>', "encoding", id="encoding"),
    pytest.param(b"<a>" * 101, "100 deep", id="deep"),
    pytest.param(b" " * (MOST_BYTES + 1), "larger than 64 MB", id="large"),
]


@pytest.mark.parametrize(("content", "sentence"), BAD)
def test_bad_file_is_one_sentence(content: bytes, sentence: str, tmp_path: Path) -> None:
    """What, where; nothing is written, and the exit status says so."""
    file = tmp_path / "in.xml"
    file.write_bytes(content)
    out = tmp_path / "out.html"

    with pytest.raises(InvalidMessage, match=sentence):
        page(content)
    run = CliRunner().invoke(ccda, ["render", str(file), "-o", str(out)])

    assert run.exit_code == 1
    assert run.output.count("\n") == 1
    assert sentence in run.output
    assert not out.exists()


def test_page_goes_to_the_file_or_to_stdout(tmp_path: Path) -> None:
    """The same page."""
    file, out = tmp_path / "in.xml", tmp_path / "out.html"
    file.write_text(a_document(f.a_condition()).xml)

    printed = CliRunner().invoke(ccda, ["render", str(file)])
    written = CliRunner().invoke(ccda, ["render", str(file), "-o", str(out)])

    assert (printed.exit_code, written.exit_code, written.output) == (0, 0, "")
    assert out.read_text() == printed.output


def test_document_is_never_overwritten_by_its_page(tmp_path: Path) -> None:
    """By whatever name it is called."""
    file = tmp_path / "in.xml"
    file.write_text(a_document().xml)

    run = CliRunner().invoke(ccda, ["render", str(file), "-o", str(tmp_path / "." / "in.xml")])

    assert run.exit_code == 1
    assert "name another file" in run.output
    assert file.read_text() == a_document().xml


def test_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """The folder is not there."""
    file = tmp_path / "in.xml"
    file.write_text(a_document().xml)

    run = CliRunner().invoke(ccda, ["render", str(file), "-o", str(tmp_path / "no" / "out.html")])

    assert run.exit_code == 1
    assert run.output.endswith("No such file or directory\n")
