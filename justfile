# Recipes for the long commands; `just` lists them.

compose := "docker compose"
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

# Start it with three Kafka nodes, a choice to be made before the first start
[group("docker")]
compose-up-cluster *options:
    COMPOSE_ENV_FILES="${COMPOSE_ENV_FILES:-.env},env/cluster.env" {{ compose }} --profile cluster up --detach --build {{ options }}

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

# Build anew and replace what has changed, after a `git pull` and a backup
[group("docker")]
compose-upgrade:
    {{ compose }} build --pull
    {{ compose }} up --detach

# Renew certificates that expire soon and let Kafka take them up
[group("docker")]
compose-certs *options:
    {{ compose }} run --rm certs {{ options }}
    {{ compose }} restart kafka

# Replay the files of a folder, by a mapping that is in it
[group("docker")]
compose-replay folder mapping *options:
    {{ compose }} run --rm --volume "$(realpath {{ folder }}):/clicks:ro" producer replay /clicks --mapping /clicks/{{ mapping }} {{ options }}

# Print the latest report
[group("docker")]
compose-report *options:
    {{ compose }} exec dashboard clickpulse report {{ options }}

# Back up reports, events, schemas and S3 to backup/DAY (today); asks for ClickHouse's password
[group("docker")]
compose-backup day=`date +%F`:
    #!/usr/bin/env bash
    set -euo pipefail
    umask 077
    mkdir -p "backup/{{ day }}"
    for database in reports airflow; do
      {{ compose }} exec -T postgres pg_dump --username=clickpulse --format=custom "$database" > "backup/{{ day }}/$database.dump"
    done
    {{ compose }} exec clickhouse clickhouse-client --user clickpulse --ask-password \
      --query "BACKUP DATABASE clickpulse TO File('{{ day }}')"
    {{ compose }} cp clickhouse:/var/lib/clickhouse/backups/{{ day }} "backup/{{ day }}/clickhouse"
    trap '{{ compose }} start registry s3' EXIT
    {{ compose }} stop registry s3
    {{ compose }} cp registry:/var/lib/clickpulse "backup/{{ day }}/registry"
    {{ compose }} cp s3:/var/lib/clickpulse "backup/{{ day }}/s3"

# Bring back what `just compose-backup` kept, on a server without data; asks for ClickHouse's password
[group("docker")]
compose-restore day:
    #!/usr/bin/env bash
    set -euo pipefail
    {{ compose }} up --detach postgres-setup s3 registry clickhouse
    for database in reports airflow; do
      {{ compose }} exec -T postgres pg_restore --username=clickpulse --dbname="$database" --clean --if-exists \
        < "backup/{{ day }}/$database.dump"
    done
    {{ compose }} stop registry s3
    {{ compose }} cp --archive "backup/{{ day }}/registry/." registry:/var/lib/clickpulse
    {{ compose }} cp --archive "backup/{{ day }}/s3/." s3:/var/lib/clickpulse
    {{ compose }} cp --archive "backup/{{ day }}/clickhouse" clickhouse:/var/lib/clickhouse/backups/{{ day }}
    {{ compose }} exec clickhouse clickhouse-client --user clickpulse --ask-password \
      --query "RESTORE DATABASE clickpulse FROM File('{{ day }}')"
    {{ compose }} up --detach

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
    stack=(docker compose --file "tests/docker-compose.test.{{ name }}.yml")
    trap '"${stack[@]}" down --volumes --remove-orphans --timeout 20' EXIT
    "${stack[@]}" run --build --rm tests {{ arguments }}

# The whole stack on this machine's Docker engine, in a copy of the project: start, networks, kills, backups, test stacks
[group("docker")]
test-docker *arguments:
    ./clickpulse test docker {{ arguments }}

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
