"""``python -m carebus_console``: run the console."""

from carebus_console.app import build
from carebus_console.settings import ConsoleSettings
from carebus_runtime.settings import KafkaSettings
from carebus_runtime.worker import run_worker

SETTINGS = (ConsoleSettings, KafkaSettings)


def main() -> None:
    """Run until told to stop."""
    run_worker("console", build, SETTINGS)


if __name__ == "__main__":
    main()
