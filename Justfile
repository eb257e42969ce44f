python := ".venv/bin/python"

# List the recipes
default:
    @{{just_executable()}} --list

# Make the virtual environment with everything that the checks need
install:
    python3 -m venv .venv
    .venv/bin/pip install -q -c constraints.txt -e '.[dev]'

# Linter, types, unit and contract tests
quick *arguments:
    {{python}} -m tests quick {{arguments}}

# Everything but what takes long
test *arguments:
    {{python}} -m tests {{arguments}}

# Types, as the newest Python that is promised has them
newest:
    {{python}} -m mypy --python-version 3.14

# The unit tests of one room: just area buttons
area room *arguments:
    @test -d tests/unit/{{room}} || { echo "tests/unit has no {{room}}; it has:" $(cd tests/unit && ls -d [a-z]*/) >&2; exit 2; }
    {{python}} -m pytest -q tests/unit/{{room}} {{arguments}}

# The speed table
bench *arguments:
    {{python}} -m tests.bench {{arguments}}

# What one message enters and costs
trip *arguments:
    {{python}} -m tests.bench.trip {{arguments}}

# Write the generated parts of the docs
docs:
    {{python}} -m tests.support.reference

# Take the pictures of the docs (needs Chromium, tmux, and fonts with emoji and with Chinese)
pictures *names:
    {{python}} -m tests.support.pictures {{names}}

# Play a newcomer's first minutes and write them into the docs, with times (needs tmux and the network)
transcripts *names:
    {{python}} -m tests.support.first_steps {{names}}

# Correct what the linter and the formatter can
fix:
    {{python}} -m ruff check --fix .
    {{python}} -m ruff format .

# Try everything in the browser, with no account and no network
sandbox *arguments:
    .venv/bin/channels sandbox {{arguments}}
