#!/usr/bin/env bash
# Installs, with apt, what building and testing Preceptor needs and this machine lacks. Debian 12, Ubuntu 24.04.
set -euo pipefail

packages=(g++ cmake ninja-build pkg-config libdnnl-dev ocl-icd-opencl-dev libzip-dev zlib1g-dev libturbojpeg0-dev libdeflate-dev
  libdcmtk-dev libopenjp2-7-dev libcli11-dev nlohmann-json3-dev libstb-dev libgtest-dev libboost-dev libboost-context-dev libssl-dev
  binutils gdb clang-format clang-tidy python3)

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "install_packages: no apt here; the build needs what these Debian packages hold: ${packages[*]}" >&2
  exit 0
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == installed ]] || missing+=("$package")
done
# No network is touched when everything is there.
[[ ${#missing[@]} -gt 0 ]] || exit 0

echo "install_packages: installing ${missing[*]}" >&2
as_root=()
if [[ $(id -u) -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "install_packages: run this as root: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
"${as_root[@]}" apt-get update --quiet >&2
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends "${missing[@]}" >&2
