#!/usr/bin/env bash
# Makes .venv with both packages and all they need. Called by `make setup`; safe to run again.
# PYTHON=... chooses the interpreter; otherwise the first of the usual names that is Python 3.11 or newer.
set -euo pipefail
cd "$(dirname "$0")/.."

is_new_enough() {
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
  local name
  for name in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 python; do
    if [ -n "$name" ] && is_new_enough "$name"; then
      echo "$name"
      return
    fi
  done
  echo "No Python 3.11 or newer was found. Install one, or name it: make setup PYTHON=/path/to/python3" >&2
  return 1
}

venv_python() {
  if [ -x .venv/Scripts/python.exe ]; then echo .venv/Scripts/python.exe; else echo .venv/bin/python; fi
}

python=$(find_python)
bash scripts/system-libraries.sh "$python"

if ! "$(venv_python)" -m pip --version >/dev/null 2>&1; then
  if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    version=$("$python" -c 'import sys; print(f"{sys.version_info[0]}.{sys.version_info[1]}")')
    echo "This Python cannot make virtual environments. Install its venv module (on Debian and Ubuntu:" >&2
    echo "  sudo apt-get install python$version-venv" >&2
    echo "), then run the same make command again." >&2
    exit 1
  fi
  echo "Making the virtual environment .venv with $("$python" --version)"
  "$python" -m venv .venv
fi

echo "Installing the packages (the first time this downloads PyTorch, Qt and napari)"
"$(venv_python)" -m pip install --disable-pip-version-check --constraint constraints.txt --editable '.[all,dev]'
