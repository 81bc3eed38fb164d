"""``python -m carebus_cli``."""

from carebus_cli.main import main

main()
