#!/usr/bin/env bash
# Print the python that `make setup` builds .venv with: the first of these that is 3.11 or newer.
# Asked to run rather than looked up, since a version manager's shims exist for versions that do not run.
for name in python3 python3.13 python3.12 python3.11 python3.14 python; do
  if "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
    command -v "$name"
    exit 0
  fi
done
found=$(python3 --version 2>&1 || true)
echo "perigee needs Python 3.11 or newer, with its venv module; found: ${found:-no python3 at all}." >&2
echo "Install one (Debian: apt-get install python3 python3-venv) or say 'make setup PYTHON=/path/to/python3.12'." >&2
exit 1
