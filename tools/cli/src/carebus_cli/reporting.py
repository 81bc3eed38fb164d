"""The report of a job as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table


def print_report(report: Mapping[str, Any], screen: Console) -> None:
    """Print where every row and every message went."""
    what = " (dry run: nothing was written)" if report["dry_run"] else ""
    screen.print(f"Job {report['job_id']} {report['status']}{what}; source {report['source'] or '-'}")
    if report["requester"]:
        screen.print(f"Requested by {report['requester']}{' (claimed)' if report['claimed'] else ''}")
    for line in (*report["reasons"], *report["notes"]):
        screen.print(f"  {line}")
    if report["rows"]:
        screen.print(_source_rows([row for row in report["rows"] if row["read"]]))
        if empty := [row["table"] for row in report["rows"] if not row["read"]]:
            screen.print(f"Empty at the source: {', '.join(empty)}")
    if report["targets"]:
        if any(target.get("accounts") for target in report["targets"]):
            screen.print(_accounts(report["targets"], dry_run=report["dry_run"]))
        if any(target.get("lacking") for target in report["targets"]):
            screen.print(_lacking(report["targets"]))
        screen.print(_outcomes(report["targets"]))
        _print_given_up(report["targets"], screen)
        screen.print(
            "Messages: extracted = applied + unchanged + stale + refused + dead-lettered + discarded"
        )
        for target in report["targets"]:
            verdict = "closes" if target["closes"] else "DOES NOT CLOSE"
            screen.print(f"  {target['target']:11} {target['identity']}   {verdict}")
    if vanished := report.get("vanished"):
        _print_vanished(vanished, report, screen)
    screen.print(f"The account {'closes' if report['closes'] else 'DOES NOT CLOSE'}.")


def _print_vanished(vanished: Mapping[str, Any], report: Mapping[str, Any], screen: Console) -> None:
    counts = ", ".join(f"{target} {count}" for target, count in vanished["persons"].items())
    screen.print(
        "Persons of the source whom this job did not mention: "
        f"{counts or vanished['status']} (job {vanished['survey']})"
    )
    if any(vanished["persons"].values()):
        screen.print(
            f"  Retire them with `carebus subjects retire --source {report['source']} "
            f"--not-in-job {report['job_id']}`"
        )


def _source_rows(rows: list[Mapping[str, Any]]) -> Table:
    table = Table("table", title="Source rows: read = emitted + left behind", title_justify="left")
    for name in ("read", "emitted"):
        table.add_column(name, justify="right")
    table.add_column("left behind")
    table.add_column("noted")
    for row in rows:
        mark = "" if row["closes"] else "  DOES NOT CLOSE"
        table.add_row(
            row["table"],
            str(row["read"]),
            str(row["emitted"]),
            _counts(row["left_behind"]) + mark,
            _counts(row["noted"]),
        )
    return table


def _outcomes(targets: list[Mapping[str, Any]]) -> Table:
    table = Table("target", "messages", title="Targets", title_justify="left")
    for name in ("rows inserted", "updated", "deleted"):
        table.add_column(name, justify="right")
    for target in targets:
        table.add_row(
            target["target"],
            _counts({name.replace("_", "-"): n for name, n in target["outcomes"].items()}),
            str(target["rows_inserted"]),
            str(target["rows_updated"]),
            str(target["rows_deleted"]),
        )
    return table


def _accounts(targets: list[Mapping[str, Any]], *, dry_run: bool) -> Table:
    """Return what became of source rows, table by table, the targets below one another."""
    written = "would be written" if dry_run else "written"
    title = f"Emitted rows = {written} + unchanged + stale + conflicts + not mapped + given up"
    table = Table("table", "target", title=title, title_justify="left")
    for name in ("emitted", written, "unchanged", "stale", "conflicts"):
        table.add_column(name, justify="right")
    table.add_column("not mapped")
    table.add_column("given up", justify="right")
    lines = [(a["table"], target["target"], a) for target in targets for a in target.get("accounts", ())]
    shown = ""
    for name, target, told in sorted(lines, key=lambda line: line[0]):
        table.add_row(
            name if name != shown else "",
            target,
            *(str(told[column]) for column in ("emitted", "written", "unchanged", "stale", "conflict")),
            _counts(told["not_mapped"]) + ("" if told["closes"] else "  DOES NOT CLOSE"),
            str(told["given_up"]),
        )
        shown = name
    return table


def _lacking(targets: list[Mapping[str, Any]]) -> Table:
    title = "Concepts without a mapping, most frequent first"
    table = Table("target", "table", "concept_id", title=title, title_justify="left")
    table.add_column("rows", justify="right")
    for target in targets:
        for told in target.get("lacking", ()):
            table.add_row(target["target"], told["table"], told["concept_id"], str(told["rows"]))
    return table


def _print_given_up(targets: list[Mapping[str, Any]], screen: Console) -> None:
    table = Table("target", "reason", title="Refused and dead-lettered messages", title_justify="left")
    table.add_column("messages", justify="right")
    for target in targets:
        for reason, count in target["reasons"].items():
            table.add_row(target["target"], reason, str(count))
    if table.row_count:
        screen.print(table)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())
