"""`python -m broker`: one Kafka node in the foreground. Formats its empty data folder first, then becomes the JVM."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from broker.properties import LOGGING, server_properties
from broker.settings import BrokerSettings
from clickpulse.credentials import write_private
from clickpulse.errors import ClickpulseError
from clickpulse.settings import KafkaSettings


def main() -> None:
    """Run the node; the exit status is 1 when a setting has to be changed."""
    try:
        node, admin = BrokerSettings.load_node(), KafkaSettings.load_for("admin")
        node.run_dir.mkdir(parents=True, exist_ok=True)
        configuration = node.run_dir / "kafka.properties"
        properties = server_properties(node, admin)
        write_private(configuration, "".join(f"{name}={value}\n" for name, value in properties.items()))
        if not (node.data_dir / "meta.properties").is_file():
            _format(node, admin, configuration)
    except ClickpulseError as error:
        sys.exit(f"error: {error}")
    command = [node.java, *_jvm_options(node), "kafka.Kafka", str(configuration)]
    os.execvp(command[0], command)  # noqa: S606 - no shell wanted


def _jvm_options(node: BrokerSettings) -> list[str]:
    options = [f"-Xmx{node.heap_mb}m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    return [*options, f"-Dlog4j2.configurationFile={LOGGING}", "-cp", f"{node.jars}/*"]


def _format(node: BrokerSettings, admin: KafkaSettings, configuration: Path) -> None:
    """Make the data folder with the first user in it. Java reads its arguments from a file: others see a command
    line, and this one has a password.
    """
    name, password = admin.login()
    tool = ["kafka.tools.StorageTool", "format", "-t", node.cluster_id, "-c", str(configuration)]
    user = ["--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]"]
    arguments = node.run_dir / "kafka-format.args"
    write_private(arguments, "".join(f'"{argument}"\n' for argument in [*_jvm_options(node), *tool, *user]))
    try:
        done = subprocess.run([node.java, f"@{arguments}"], capture_output=True, text=True, check=False)
    finally:
        arguments.unlink()
    if done.returncode:
        reason = (done.stderr or done.stdout)[-500:].replace(password, "***")
        raise ClickpulseError(f"Kafka's data folder {node.data_dir} could not be formatted: {reason}")


if __name__ == "__main__":
    main()
