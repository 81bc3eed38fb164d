"""``python -m carebus_loader``: run the loader of the target in CAREBUS_LOADER_TARGET."""

from carebus_loader.app import build
from carebus_runtime.worker import run_worker


def main() -> None:
    """Run until told to stop."""
    run_worker("loader", build)


if __name__ == "__main__":
    main()
