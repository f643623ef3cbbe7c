"""Run Compose's services in the images that were built, each as docker-compose.yml describes it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import typer

from tests.images.buildah import Container
from tests.images.compose_model import ComposeModel

_READY_SECONDS = 180
_TESTS_SECONDS = 1200

MAIN = "docker-compose.yml"
SUBMIT = (MAIN, "docker-compose.submit.yml")
EMBEDDED_SINK = (MAIN, "docker-compose.embedded-sink.yml")
MAKES_SECRETS = "producer"
"""The image that makes credentials and certificates."""

GROUPS = (
    ("kafka", "kafka-setup", "registry", "registry-setup", "producer"),
    ("kafka", "kafka-setup", "registry", "registry-setup", "connect"),
    ("spark-master", "spark-worker", "spark-connect"),
    ("s3", "s3-setup", "spark-master", "spark-worker", "spark-connect", "spark-setup"),
    ("dashboard",),
)
"""Run one after another, as all share one network and some of Spark's ports are others' as well; a group that is a part
of another only where that one can't run.
"""

SUBMITTING = ("s3", "spark-master", "spark-worker")
"""What a worker that submits needs; the minute is there from the group with `spark-setup` before."""
SUBMIT_MINUTE = Path(__file__).with_name("submit_minute.py")

ALONE = {
    "producer": (["report", "--help"], 0, "Print the latest report"),
    "report-api": ([], 1, "REPORT_API_WRITE_TOKEN"),
    "clickhouse-setup": ([], 1, "CLICKHOUSE_PASSWORD"),
    "broker": ([], 1, "KAFKA_BROKER_CLUSTER_ID"),
    "airflow": (["scheduler"], 1, "REDIS_PASSWORD"),
    "spark": (["--help"], 0, "worker"),
}
"""By image: arguments for its entry point without any setting, the status, and a part of what it says."""


class Runner:
    """Runs services with credentials and data in `folder`."""

    def __init__(self, model: ComposeModel, folder: Path) -> None:
        self._model = model
        self._folder = folder
        self._creds = folder / "env"
        self._user = model.services["kafka"]["user"]

    def make_secrets(self) -> None:
        """Let the images themselves make credentials and certificates, as `docker compose run creds` does."""
        self._own(self._creds)
        for service in ("creds", "certs"):
            with self._container(service) as container:
                options = [f"--volume={self._creds}:/creds", "--env=CLICKPULSE_CREDS_DIR=/creds"]
                self._expect(container, service, self._command(container, service), options, 0, "")

    def check_alone(self, image: str) -> None:
        """Run an image's entry point without settings."""
        arguments, status, text = ALONE[image]
        tag = self._model.builds()[image].image
        container = Container(tag)
        try:
            _, who = container.run(["id", "-u"])
            if who != self._user.split(":")[0]:
                raise RuntimeError(f"{image} runs as user {who}")
            self._expect(container, image, [*container.entry_point(), *arguments], [], status, text)
        finally:
            container.remove()

    @contextmanager
    def running(self, services: Sequence[str]) -> Iterator[None]:
        """Start services one after another, each when the one before is healthy or done; stop them afterwards."""
        with ExitStack() as running:
            for service in services:
                container = running.enter_context(self._container(service))
                command = self._command(container, service)
                options = self._options(service)
                if self._model.services[service].get("restart") == "no":
                    self._expect(container, service, command, options, 0, "")
                    continue
                container.start(command, self._folder / f"{service}.log", *options)
                check = self._model.health_check(service)
                try:
                    seconds = container.wait_until_healthy(check, _READY_SECONDS, *options)
                except RuntimeError as error:
                    end = (self._folder / f"{service}.log").read_text()[-3000:]
                    raise RuntimeError(f"{service}: {error}\n{end}") from error
                typer.echo(f"{service}: healthy after {seconds:.0f} s ({' '.join(check)})")
            yield

    def submit_minute(self) -> None:
        """A `spark-submit` from the container of Airflow's worker."""
        with self._container("airflow-worker") as container:
            inside = f"/tmp/{SUBMIT_MINUTE.name}"
            options = [*self._options("airflow-worker"), f"--volume={SUBMIT_MINUTE}:{inside}:ro"]
            self._expect(container, "airflow-worker", ["python", inside], options, 0, "30000 events")

    def run_tests(self) -> None:
        """The tests' own container, to its end."""
        with self._container("tests") as container:
            command = [*self._command(container, "tests"), "-q"]
            status, said = container.run(command, *self._options("tests"), seconds=_TESTS_SECONDS)
        if status:
            raise RuntimeError(f"{' '.join(command)} gave status {status}:\n{said}")
        typer.echo(f"tests: {' '.join(command)}: {said.splitlines()[-1]}")

    @contextmanager
    def _container(self, service: str) -> Iterator[Container]:
        model = self._model
        container = Container(model.builds()[model.image(service)].image, hosts=sorted(model.services))
        try:
            yield container
        finally:
            container.remove()

    def _command(self, container: Container, service: str) -> list[str]:
        described = self._model.services[service]
        return [*(described.get("entrypoint") or container.entry_point()), *(described.get("command") or [])]

    def _options(self, service: str) -> list[str]:
        described = self._model.services[service]
        options = [f"--user={described['user']}", f"--hostname={described.get('hostname', service)}"]
        options += [f"--env={name}={value}" for name, value in (described.get("environment") or {}).items()]
        for number, volume in enumerate(described.get("volumes") or []):
            place = self._folder / "volumes" / volume.get("source", f"{service}-{number}")
            self._own(place)
            options.append(f"--volume={place}:{volume['target']}")
        for target, file in self._model.secret_files(service).items():
            options.append(f"--volume={self._creds / file}:{target}:ro")
        return options

    def _own(self, folder: Path) -> None:
        """Make a folder that the containers' user may write to."""
        folder.mkdir(parents=True, exist_ok=True)
        user, group = self._user.split(":")
        os.chown(folder, int(user), int(group))

    @staticmethod
    def _expect(
        container: Container, name: str, command: list[str], options: list[str], status: int, text: str
    ) -> None:
        found, said = container.run(command, *options)
        if found != status or text not in said:
            raise RuntimeError(f"{name}: {' '.join(command)} gave status {found}, not {status} with {text!r}:\n{said}")
        typer.echo(f"{name}: {' '.join(command)}: status {found}" + (f", says {text}" if text else ""))


def run_all(images: Sequence[str], folder: Path) -> None:
    """Run all that needs no other image than `images`."""
    model = ComposeModel(MAIN)
    runner = Runner(model, folder)
    for image in images:
        if image in ALONE:
            runner.check_alone(image)
    if MAKES_SECRETS not in images:
        return
    runner.make_secrets()
    able = [set(group) for group in GROUPS if all(model.image(service) in images for service in group)]
    for group in GROUPS:
        if set(group) in able and not any(set(group) < other for other in able):
            with runner.running(group):
                pass
    if {"airflow-submit", "s3", "spark"} <= set(images):
        submitting = Runner(ComposeModel(*SUBMIT), folder)
        with submitting.running(SUBMITTING):
            submitting.submit_minute()


def run_tests(service: str, folder: Path) -> None:
    """A service's tests in their container, beside what tests/docker-compose.test.SERVICE.yml gives them."""
    Runner(ComposeModel(MAIN), folder).make_secrets()
    model = ComposeModel(test_file(service))
    runner = Runner(model, folder)
    with runner.running(model.needed_for("tests")):
        runner.run_tests()


def test_file(service: str) -> str:
    return f"tests/docker-compose.test.{service}.yml"
