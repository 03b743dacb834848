#!/usr/bin/env bash
# Libraries of the system that Qt and OpenGL need, and a display in memory (Xvfb) for machines without a screen.
# Installs what is missing where it may (root, or sudo without a password); otherwise prints the command to run.
# Nothing to do on macOS and Windows. The first argument is the Python that will make the virtual environment.
set -euo pipefail

python=${1:-python3}
needed=(
  libegl1 libgl1 libgl1-mesa-dri libopengl0 libglib2.0-0 libdbus-1-3 libfontconfig1 libxkbcommon0 libxkbcommon-x11-0
  libx11-xcb1 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0
  libxcb-xfixes0 libxcb-xinerama0 libxcb-xkb1 fonts-dejavu-core xvfb xauth
)

[ "$(uname -s)" = Linux ] || exit 0

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  command -v Xvfb >/dev/null || echo "This system has no apt-get. For the window, install what these Debian packages hold: ${needed[*]}"
  exit 0
fi

# Newer releases renamed some libraries with the ending t64.
is_installed() {
  local states
  states=$(dpkg-query --show --showformat='${Status}\n' "$1" "$1t64" 2>/dev/null) || true
  [[ $states == *"install ok installed"* ]]
}

missing=()
for package in "${needed[@]}"; do
  is_installed "$package" || missing+=("$package")
done
if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
  missing+=("python$("$python" -c 'import sys; print(f"{sys.version_info[0]}.{sys.version_info[1]}")')-venv")
fi
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
  as_root=(env)
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  as_root=(sudo env)
else
  echo "The window needs libraries of the system that are not installed. Install them with:"
  echo "  sudo apt-get update && sudo apt-get install --yes --no-install-recommends ${missing[*]}"
  echo "Everything but the window works without them."
  exit 0
fi

echo "Installing libraries of the system: ${missing[*]}"
install=("${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends --quiet "${missing[@]}")
if ! { "${as_root[@]}" apt-get update --quiet && "${install[@]}"; }; then
  echo "These libraries could not be installed. Everything but the window works without them; to try again, run:"
  echo "  sudo apt-get update && sudo apt-get install --yes --no-install-recommends ${missing[*]}"
fi
