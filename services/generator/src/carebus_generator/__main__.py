"""``python -m carebus_generator``: run the generator."""

from carebus_generator.app import build
from carebus_generator.settings import GeneratorSettings
from carebus_runtime.settings import KafkaSettings
from carebus_runtime.worker import run_worker

SETTINGS = (GeneratorSettings, KafkaSettings)


def main() -> None:
    """Run until told to stop."""
    run_worker("generator", build, SETTINGS)


if __name__ == "__main__":
    main()
