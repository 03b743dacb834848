#!/usr/bin/env bash
# Tries the built wheel as a stranger would: a fresh environment, a folder outside this one, and no napari.
# Usage: scripts/smoke-wheel.sh [folder of the wheel, default dist]
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD
python=${PYTHON:-python3}
wheels=("$here/${1:-dist}"/*.whl)
[ -f "${wheels[0]}" ] || { echo "No wheel in ${1:-dist}: run make build first." >&2; exit 1; }

away=$(mktemp -d)
trap 'rm -rf "$away"' EXIT
"$python" -m venv "$away/venv"
bin=$away/venv/bin
[ -d "$bin" ] || bin=$away/venv/Scripts
# Most of what is installed is never imported here: compiling it all took longer than installing it.
"$bin/python" -m pip install --quiet --no-compile --disable-pip-version-check --constraint constraints.txt "${wheels[0]}" "$(grep '^npe2==' constraints.txt)"
cp -R sample_data "$away/study"
cd "$away"
export GR2ST_CACHE=$away/cache

echo "smoke: the command line"
"$bin/gr2st" --help >help.txt
"$bin/gr2st" inspect study
"$bin/gr2st" inspect study --json | "$bin/python" -c 'import json, sys; json.load(sys.stdin)'

echo "smoke: what is in the wheel"
"$bin/python" "$here/scripts/smoke_installed.py"
manifest=$("$bin/python" -c 'import importlib.resources as r; print(r.files("gr2st_napari") / "napari.yaml")')
"$bin/npe2" validate "$manifest"
echo "smoke: the wheel works without napari and outside the checkout"
