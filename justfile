# Recipes for the long commands; `just` lists them.

compose := "docker compose"
cluster := "docker compose --env-file .env --env-file env/cluster.env --profile cluster"
python := "uv run --all-extras --locked --quiet python"

_list:
    @just --list --unsorted

# --- this machine, without Docker ---

# Start the whole stack on this machine
[group("local")]
up *options:
    ./clickpulse up {{ options }}

# Start one service and what it needs, such as `just up-only clickhouse`
[group("local")]
up-only service *options:
    ./clickpulse up --only {{ service }} {{ options }}

# Start the stack with Kafka Connect and the official ClickHouse sink in place of the embedded one
[group("local")]
up-connect *options:
    SINK=connect ./clickpulse up {{ options }}

# Stop it; `just down --wipe` deletes its data
[group("local")]
down *options:
    ./clickpulse down {{ options }}

# Health, memory, addresses and logs of every service
[group("local")]
status:
    ./clickpulse status

# Follow the log of a service
[group("local")]
logs service:
    ./clickpulse logs {{ service }} --follow

# Simulate users, such as `just simulate --rate 500 --duration 600`
[group("local")]
simulate *options:
    ./clickpulse simulate {{ options }}

# Print the latest report
[group("local")]
report *options:
    ./clickpulse report {{ options }}

# Measure the running stack
[group("local")]
bench *options:
    ./clickpulse bench {{ options }}

# --- secrets, for both profiles ---

# Generate the passwords, keys and tokens that are missing
[group("secrets")]
creds:
    ./clickpulse creds

# Make the private CA and the servers' certificates, and renew those that expire soon
[group("secrets")]
certs *options:
    ./clickpulse certs {{ options }}

# --- Docker ---

# Generate credentials and certificates with the images alone, where no Python is installed
[group("docker")]
compose-secrets:
    {{ compose }} run --build --rm creds
    {{ compose }} run --build --rm certs

# Build every image
[group("docker")]
images *options:
    docker buildx bake {{ options }}

# Start the distributed profile, with `just compose-up --profile monitoring` more of it
[group("docker")]
compose-up *profiles:
    {{ compose }} {{ profiles }} up --detach --build

# Start it with three Kafka nodes
[group("docker")]
compose-up-cluster:
    {{ cluster }} up --detach --build

# Stop it and keep its data
[group("docker")]
compose-down:
    {{ compose }} --profile '*' down

# State and health of its containers
[group("docker")]
compose-status:
    {{ compose }} --profile '*' ps --all

# Follow the logs of its services
[group("docker")]
compose-logs *services:
    {{ compose }} --profile '*' logs --follow --tail 100 {{ services }}

# State of the connector, with a failed task's trace
[group("docker")]
connect-status:
    {{ compose }} exec connect clickpulse connect status

# Restart the connector's failed tasks
[group("docker")]
connect-restart:
    {{ compose }} exec connect clickpulse connect restart

# --- development ---

# Format the code
[group("development")]
format:
    uv run --all-extras ruff format .
    uv run --all-extras ruff check --fix .

# Format, lint, types and unit tests: what to run before a commit
[group("development")]
check:
    ./clickpulse check
    ./clickpulse test unit

# All tests: unit, integration, end to end
[group("development")]
test *arguments:
    ./clickpulse test {{ arguments }}

# One service's tests against local processes: airflow, connect, dashboard, db, producer or spark
[group("development")]
test-service-local name *arguments:
    ./clickpulse test --service {{ name }} {{ arguments }}

# One service's tests against its containers, with the same names; removes them and their data afterwards
[group("development")]
test-service name *arguments:
    #!/usr/bin/env bash
    set -euo pipefail
    stack=(docker compose --env-file .env --file "tests/docker-compose.test.{{ name }}.yml")
    trap '"${stack[@]}" down --volumes --remove-orphans' EXIT
    "${stack[@]}" run --build --rm tests {{ arguments }}

# Check the Compose files, Dockerfiles and recipes, which needs no Docker engine
[group("development")]
check-deployment *arguments:
    ./clickpulse test tests/unit/deployment {{ arguments }}

# Build images with Buildah and run their entry points; ROOT_FILES is a tar archive of a Debian with Python 3.11
[group("development")]
check-images root_files *options:
    sudo {{ python }} -m tests.images --root-files {{ root_files }} {{ options }}

# Raise the locked versions within pyproject.toml's bounds
[group("development")]
upgrade:
    uv lock --upgrade
