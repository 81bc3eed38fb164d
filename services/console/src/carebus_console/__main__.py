"""``python -m carebus_console``: run the console."""

from carebus_console.app import build
from carebus_runtime.worker import run_worker


def main() -> None:
    """Run until told to stop."""
    run_worker("console", build)


if __name__ == "__main__":
    main()
