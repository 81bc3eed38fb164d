"""What every section has: templates, code, title, narrative table, entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from carebus_converter.domain.ccda.codes import LOINC, fixed, template


@dataclass(frozen=True, slots=True)
class Frame:
    """The fixed parts of one section, rendered once."""

    start: str
    table: str
    empty: str

    def filled(self, narrative: Sequence[str], entries: Sequence[str]) -> str:
        """Return the section with its table rows and entries."""
        if not entries:
            return self.empty
        rows, statements = "".join(narrative), "".join(entries)
        return (
            f"<component><section>{self.start}{self.table}{rows}</tbody></table></text>"
            f"{statements}</section></component>"
        )


def frame(
    *templates: str, version: str, code: str, name: str, title: str, columns: Sequence[str], required: bool
) -> Frame:
    """Return the frame of a section.

    Args:
        templates: OIDs below the C-CDA arc; the form with required entries first.
        version: Extension of the templates.
        code: LOINC code of the section.
        name: Its LOINC name.
        title: What the reader sees.
        columns: Heads of the narrative table.
        required: Whether a CCD must have the section even when there is nothing to say.
    """
    identity = "".join(template(oid, version) for oid in templates) + fixed("code", code, LOINC, name)
    start = f"{identity}<title>{title}</title>"
    heads = "".join(f"<th>{column}</th>" for column in columns)
    nothing = f'<component><section nullFlavor="NI">{start}<text>No information</text></section></component>'
    return Frame(
        start=start,
        table=f'<text><table border="1"><thead><tr>{heads}</tr></thead><tbody>',
        empty=nothing if required else "",
    )
