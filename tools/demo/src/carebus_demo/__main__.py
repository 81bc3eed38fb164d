"""``python -m carebus_demo``: the demo with its defaults."""

from carebus_demo.command import demo

if __name__ == "__main__":
    demo()
