"""``python -m carebus_converter``: run the converter."""

from carebus_converter.app import build
from carebus_runtime.worker import run_worker


def main() -> None:
    """Run until told to stop."""
    run_worker("converter", build)


if __name__ == "__main__":
    main()
