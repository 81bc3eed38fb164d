"""Make `locks/kafka.lock` anew: `python -m carebus_stack.relock`, after changing the versions here.

Resolving from POMs takes half a minute, so it is done here once and not at each user's machine.
"""

import sys
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

from .downloads import sha256_of

ROOTS = (
    ("org.apache.kafka", "kafka_2.13", "4.4.0"),
    # A binding of slf4j 1.7: without it the broker logs nothing at all.
    ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.5"),
)
# Never published in 4.4.0; the broker and its format tool run without.
LEFT_OUT = frozenset({"kafka-tools-api"})
HEAD = """\
# Jars of the broker: coordinate and checksum, one a line. Made by `python -m carebus_stack.relock`.
# kafka-tools-api is left out: the broker runs without it and its 4.4.0 was never published.
"""


def main() -> None:
    """Resolve the roots and all that they need at run time, and write the lock."""
    import truststore  # noqa: PLC0415 - as in downloads.fetch

    truststore.inject_into_ssl()
    with tempfile.TemporaryDirectory() as folder:
        lines = sorted(_locked_lines(Path(folder)))
    target = Path(str(resources.files("carebus_stack") / "locks" / "kafka.lock"))
    target.write_text(HEAD + "".join(lines))
    sys.stdout.write(f"{len(lines)} jars in {target}\n")


def _locked_lines(cache: Path) -> set[str]:
    from jgo.maven import MavenContext, Model, PythonResolver  # noqa: PLC0415 - only here

    context = MavenContext(repo_cache=cache, resolver=PythonResolver())
    lines = set()
    for group, artifact, version in ROOTS:
        component = context.project(group, artifact).at_version(version)
        dependencies, _ = Model(component.pom(), context).dependencies()
        wanted: list[Any] = [component.artifact()]
        for dependency in dependencies:
            at_run_time = dependency.scope in ("compile", "runtime", None) and not dependency.optional
            if at_run_time and dependency.artifact.artifactId not in LEFT_OUT:
                wanted.append(dependency.artifact)
        for jar in wanted:
            coordinate = f"{jar.groupId}:{jar.artifactId}:{jar.version}"
            lines.add(f"{coordinate} sha256={sha256_of(Path(jar.resolve()))}\n")
    return lines


if __name__ == "__main__":
    main()
