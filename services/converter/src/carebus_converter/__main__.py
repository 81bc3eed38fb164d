"""``python -m carebus_converter``: run the converter."""

from carebus_converter.app import build
from carebus_converter.settings import ConverterSettings
from carebus_runtime.settings import KafkaSettings
from carebus_runtime.worker import run_worker

SETTINGS = (ConverterSettings, KafkaSettings)


def main() -> None:
    """Run until told to stop."""
    run_worker("converter", build, SETTINGS)


if __name__ == "__main__":
    main()
