"""``carebus topics``: list the topics, and make them as declared."""

from __future__ import annotations

import asyncio
import json

import click

from carebus_contracts.errors import CareBusError
from carebus_runtime.settings import KafkaSettings
from carebus_runtime.topic_admin import declared, ensure_topics


@click.group()
def topics() -> None:
    """List and make the Kafka topics."""


@topics.command()
@click.option("--replication", default=1, show_default=True, help="Copies of each partition.")
@click.option("--partitions", type=int, help="For data topics, instead of the declared number.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def ensure(replication: int, partitions: int | None, as_json: bool) -> None:
    """Make topics that are missing; never takes anything away."""
    try:
        done = asyncio.run(
            ensure_topics(KafkaSettings.load(), replication=replication, partitions=partitions)
        )
    except CareBusError as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None
    click.echo(json.dumps(done) if as_json else "\n".join(done) or "All topics are there.")


@topics.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_topics(as_json: bool) -> None:
    """Show every topic with its key, payload, partitions and readers."""
    if as_json:
        click.echo(json.dumps([{name: getattr(t, name) for name in t.__slots__} for t in declared()]))
        return
    for topic in declared():
        readers = f", read by {', '.join(topic.readers)}" if topic.readers else ""
        click.echo(
            f"{topic.name}  [{topic.partitions}, {topic.cleanup}]  {topic.payload}, key {topic.key}{readers}"
        )
