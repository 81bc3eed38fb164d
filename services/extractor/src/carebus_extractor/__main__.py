"""``python -m carebus_extractor``: run the extractor."""

from carebus_extractor.app import build
from carebus_runtime.worker import run_worker


def main() -> None:
    """Run until told to stop."""
    run_worker("extractor", build)


if __name__ == "__main__":
    main()
