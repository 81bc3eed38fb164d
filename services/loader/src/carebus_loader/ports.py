"""What the loader needs of a target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from carebus_contracts.versions import Version
from carebus_loader.domain.deliveries import Delivery, DocumentDelivery, Written

__all__ = ["Delivery", "DocumentDelivery", "Prepares", "ShowsGrants", "Target", "TellsVanished", "Written"]


class Target(Protocol):
    """A system that takes plans.

    ``write`` gets each subject at most once and answers in the order given. It is all or nothing:
    when it raises, the target is as before, and the batch may be tried again, whole or halved.
    """

    name: str

    async def start(self) -> None:
        """Connect, and check that schema and ledger are the ones that we know.

        Raises:
            ConfigurationError: Wrong credentials or address, schema not prepared.
            SchemaFrozen: The tables are not the ones that we know.
            TargetUnavailable: It does not answer.
        """

    async def stop(self) -> None:
        """Close all connections."""

    async def ping(self) -> None:
        """Answer quickly whether the system does.

        Raises:
            TargetUnavailable: It does not.
        """

    async def write(self, batch: Sequence[Delivery]) -> list[Written]:
        """Write a batch in one transaction, ledger included.

        Raises:
            RecordError: A record in here is refused for good; the caller finds it by halving.
            TransientError: Try the same batch again later.
            FatalError: Stop.
        """


class TellsVanished(Protocol):
    """A target that names the persons of whom nothing is as new as a version; started before."""

    async def vanished(self, source: str, version: Version) -> list[int]:
        """Return their ids, in ascending order.

        Raises:
            TargetUnavailable: It does not answer.
        """


class Prepares(Protocol):
    """A target whose schema and ledger can be made, with owner rights, under a lock."""

    name: str

    async def prepare(self) -> list[str]:
        """Make what is missing; safe to repeat.

        Returns:
            One sentence for each thing made.
        """


@runtime_checkable
class ShowsGrants(Protocol):
    """A target whose server has users with rights."""

    def grants(self, user: str) -> list[str]:
        """Return the statements that give a user just the rights of a loader; nothing is executed."""
