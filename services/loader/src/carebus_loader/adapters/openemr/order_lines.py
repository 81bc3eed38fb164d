"""Numbers of the lines of orders: OpenEMR ties a report to its line by order and number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from carebus_loader.adapters.openemr.connection import Session

_KEYS_A_STATEMENT = 1_000


class OrderLines:
    """Gives each report a number: the one that it has, or the next one that its order never had."""

    def __init__(self) -> None:
        self._standing: dict[str, tuple[int, int]] = {}
        self._last: defaultdict[int, int] = defaultdict(int)

    async def look_up(self, session: Session, orders: Mapping[str, int]) -> None:
        """Find the lines that stand, and take away those of reports that go to another order.

        Args:
            session: Inside a transaction.
            orders: Number of the order by the report's uuid in hex.
        """
        for some in _parts(sorted(orders)):
            uuids = ", ".join(f"x'{uuid}'" for uuid in some)
            for uuid, order, number in await session.select(
                "SELECT uuid, procedure_order_id, procedure_order_seq FROM procedure_report "
                f"FORCE INDEX (uuid) WHERE uuid IN ({uuids})"
            ):
                self._standing[uuid.hex()] = int(order), int(number)
        moved = [uuid for uuid, there in self._standing.items() if there[0] != orders[uuid]]
        growing = {orders[uuid] for uuid in (*moved, *(orders.keys() - self._standing.keys()))}
        for some in _parts(sorted(map(str, growing))):
            keys = ", ".join(some)
            # Numbers of reports count too: the line of one that was taken away is gone, its report is not.
            for order, number in await session.select(
                "SELECT procedure_order_id, MAX(procedure_order_seq) FROM ("
                "SELECT procedure_order_id, procedure_order_seq FROM procedure_order_code "
                f"WHERE procedure_order_id IN ({keys}) UNION ALL "
                "SELECT procedure_order_id, procedure_order_seq FROM procedure_report "
                f"WHERE procedure_order_id IN ({keys})) AS used GROUP BY procedure_order_id"
            ):
                self._last[int(order)] = int(number)
        for some in _parts(["({}, {})".format(*self._standing[uuid]) for uuid in moved]):
            await session.execute(
                "DELETE FROM procedure_order_code WHERE (procedure_order_id, procedure_order_seq) IN "
                f"({', '.join(some)})"
            )

    def number(self, uuid: str, order: int) -> int:
        """Return the number of a report's line."""
        there = self._standing.get(uuid)
        if there is not None and there[0] == order:
            return there[1]
        self._last[order] += 1
        return self._last[order]


def _parts(some: Sequence[str]) -> list[Sequence[str]]:
    return [some[at : at + _KEYS_A_STATEMENT] for at in range(0, len(some), _KEYS_A_STATEMENT)]
