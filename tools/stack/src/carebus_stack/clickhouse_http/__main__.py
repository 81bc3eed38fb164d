"""Run the front: `python -m carebus_stack.clickhouse_http --port 28123 --path DIR`."""

import argparse
import signal
import sys
import threading
from types import FrameType

from .engine import Engine
from .server import Front


def main() -> None:
    """Serve until SIGTERM or SIGINT, then let queries finish and close the engine."""
    parser = argparse.ArgumentParser(prog="carebus_stack.clickhouse_http")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default=":memory:", help="data folder, or :memory:")
    parser.add_argument("--database", default="default", help="made at start when absent")
    parser.add_argument("--connections", type=int, default=8, help="queries at a time")
    options = parser.parse_args()

    engine = Engine(options.path, size=options.connections)
    engine.create_database(options.database)
    front = Front(options.port, engine)

    def stop(number: int, frame: FrameType | None) -> None:
        # shutdown() waits for the serving loop, which is what this handler interrupts.
        threading.Thread(target=front.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print("READY", options.port, engine.version, flush=True)
    front.serve_forever()
    front.server_close()
    engine.close()
    sys.stdout.flush()


if __name__ == "__main__":
    main()
