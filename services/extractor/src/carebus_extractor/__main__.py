"""``python -m carebus_extractor``: run the extractor."""

from carebus_extractor.app import build
from carebus_extractor.settings import ExtractorSettings
from carebus_runtime.settings import KafkaSettings
from carebus_runtime.worker import run_worker

SETTINGS = (ExtractorSettings, KafkaSettings)


def main() -> None:
    """Run until told to stop."""
    run_worker("extractor", build, SETTINGS)


if __name__ == "__main__":
    main()
