# Recipes for the long commands; `just` lists them.

_list:
    @just --list --unsorted

# Start the whole stack on this machine
up *options:
    ./clickpulse up {{ options }}

# Stop it; `just down --wipe` deletes its data
down *options:
    ./clickpulse down {{ options }}

# Health, memory, addresses and logs of every service
status:
    ./clickpulse status

# Print the latest report
report *options:
    ./clickpulse report {{ options }}

# Format the code
format:
    uv run --all-extras ruff format .
    uv run --all-extras ruff check --fix .

# Format, lint, types and unit tests: what to run before a commit
check:
    ./clickpulse check
    ./clickpulse test unit

# All tests: unit, integration, end to end
test *arguments:
    ./clickpulse test {{ arguments }}

# Measure the running stack
bench *options:
    ./clickpulse bench {{ options }}

# Raise the locked versions within pyproject.toml's bounds
upgrade:
    uv lock --upgrade
