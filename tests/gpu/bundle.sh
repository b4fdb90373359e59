#!/usr/bin/env bash
# All that a machine without network needs to build Preceptor, in one folder: headers and libraries of Debian's packages.
#   bundle.sh collect [FOLDER]        downloads the packages (here, with network) into FOLDER, build/gpu-bundle by default
#   bundle.sh unpack [FOLDER] PREFIX  unpacks them (there), without installing anything
#   bundle.sh environment PREFIX      prints the settings under which cmake finds them, for eval
# The other machine has to bring a C++20 compiler, cmake, and nvcc. DICOM is left out: DCMTK alone would double the size.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

most_mebibytes=60
fail() {
  echo "bundle: $1" >&2
  exit "$2"
}

# The packages of install_packages.sh, except tools that the machine must have and DICOM.
wanted() {
  sed -n '/^packages=(/,/)/p' tests/install_packages.sh | tr -d '()' | sed 's/^packages=//' | tr -s ' \n' '\n' |
    grep -vxE 'g\+\+|cmake|gdb|binutils|clang-format|clang-tidy|python3|libdcmtk-dev|libopenjp2-7-dev'
}

# The packages and all their dependencies, except those that every system with a compiler has.
closure() {
  apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances "$@" |
    grep -E '^[a-z0-9]' | sort -u |
    grep -vE '^(libc6|libc-|libc-dev|libgcc|libstdc\+\+|linux-libc|libcrypt|libnsl|libtirpc|rpcsvc|gcc-|perl|python|debconf|dpkg|cdebconf)|^lib(gomp1|ssl3|asan|tsan|lsan|ubsan|itm|quadmath|atomic)'
}

collect() {
  local folder=$1
  command -v apt-get >/dev/null || fail "apt-get is not here" 66
  mkdir -p "$folder"
  folder=$(cd "$folder" && pwd)
  rm -f "$folder"/*.deb
  mapfile -t packages < <(closure $(wanted))
  (cd "$folder" && apt-get download --quiet "${packages[@]}" >/dev/null)
  local mebibytes
  mebibytes=$(du --summarize --block-size=1M "$folder" | cut -f 1)
  [ "$mebibytes" -lt "$most_mebibytes" ] || fail "$mebibytes MiB are more than $most_mebibytes" 70
  echo "$(find "$folder" -name '*.deb' | wc -l) packages, $mebibytes MiB in $folder" >&2
}

unpack() {
  local folder=$1 prefix=$2
  ls "$folder"/*.deb >/dev/null 2>&1 || fail "$folder holds no packages; bundle.sh collect makes them where there is a network" 66
  mkdir -p "$prefix"
  for package in "$folder"/*.deb; do
    if command -v dpkg-deb >/dev/null; then
      dpkg-deb --extract "$package" "$prefix"
    else # a package is an ar archive with a tar in it
      (cd "$prefix" && ar p "$package" "$(ar t "$package" | grep '^data\.tar')" | tar --extract --auto-compress --file=- 2>/dev/null) ||
        (cd "$prefix" && ar p "$package" data.tar.xz | tar --extract --xz)
    fi
  done
}

environment() {
  local prefix libraries
  prefix=$(cd "$1" && pwd)
  libraries=$prefix/usr/lib/$(uname -m)-linux-gnu
  echo "export CMAKE_PREFIX_PATH=$prefix/usr CMAKE_LIBRARY_PATH=$libraries CMAKE_INCLUDE_PATH=$prefix/usr/include"
  echo "export PKG_CONFIG_SYSROOT_DIR=$prefix PKG_CONFIG_LIBDIR=$libraries/pkgconfig:$prefix/usr/share/pkgconfig:$prefix/usr/lib/pkgconfig"
  # boost's headers lie flat in usr/include; what a library needs itself is looked for in the last two.
  echo "export CPATH=$prefix/usr/include:$prefix/usr/include/$(uname -m)-linux-gnu"
  echo "export LIBRARY_PATH=$libraries LD_LIBRARY_PATH=$libraries\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH} PATH=\$PATH:$prefix/usr/bin"
}

case ${1:-} in
  collect) collect "${2:-build/gpu-bundle}" ;;
  unpack)
    if [ $# -eq 3 ]; then unpack "$2" "$3"; else unpack build/gpu-bundle "${2:?a prefix is missing}"; fi
    ;;
  environment) environment "${2:?a prefix is missing}" ;;
  *) fail "collect, unpack or environment is expected" 64 ;;
esac
