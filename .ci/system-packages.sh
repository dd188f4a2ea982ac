#!/bin/sh
# Install what pip cannot bring: a C++ compiler, CMake, GoogleTest, the xxHash library that fingerprints are compared with,
# OpenSSL for the certificates of tests, and the shared libpython that the embedded server loads.
# Usage: system-packages.sh PYTHON [java] [clang] [browser] [emulator]     (java: a JDK too, for Spark and for the example in Java;
# clang: Clang with libFuzzer too; browser: Chromium and its driver too; emulator: a processor without AVX too)
set -eu
python=$1
shift

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "$("$python" --version) is too old; Polyrank needs 3.11 or newer: make PYTHON=python3.11 ..." >&2
  exit 1
}

wanted=""
want() { wanted="$wanted $1"; }
minor=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
libdir=$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("LIBDIR"))')

command -v c++ >/dev/null 2>&1 || want g++
command -v cmake >/dev/null 2>&1 || want cmake
command -v openssl >/dev/null 2>&1 || want openssl
[ -e /usr/include/gtest/gtest.h ] || [ -e /usr/local/include/gtest/gtest.h ] || want libgtest-dev
[ -e /usr/include/xxhash.h ] || [ -e /usr/local/include/xxhash.h ] || want libxxhash-dev
"$python" -c 'import ensurepip, venv' 2>/dev/null || want "python$minor-venv"
[ -e "$libdir/libpython$minor.so.1.0" ] || PATH="$PATH:/sbin:/usr/sbin" ldconfig -p | grep -q "libpython$minor.so.1.0" ||
  want "libpython$minor"

for extra in "$@"; do
  case $extra in
    java) command -v javac >/dev/null 2>&1 || want default-jdk-headless ;;
    clang)
      command -v clang++ >/dev/null 2>&1 || want clang
      [ -e "$(clang++ -print-runtime-dir 2>/dev/null)/libclang_rt.fuzzer-$(uname -m).a" ] || want libclang-rt-dev
      ;;
    emulator)
      command -v qemu-x86_64 >/dev/null 2>&1 || command -v qemu-x86_64-static >/dev/null 2>&1 || want qemu-user
      ;;
    browser)
      command -v chromium >/dev/null 2>&1 || want chromium
      command -v chromedriver >/dev/null 2>&1 || want chromium-driver
      ;;
  esac
done

[ -n "$wanted" ] || exit 0
echo "installing system packages:$wanted"
if [ "$(id -u)" = 0 ]; then
  sudo=""
elif sudo -n true 2>/dev/null; then
  sudo="sudo"
else
  echo "these system packages are missing; install them and run make again: apt-get install$wanted" >&2
  exit 1
fi
command -v apt-get >/dev/null 2>&1 || {
  echo "these Debian packages, or your system's equivalents, are missing:$wanted" >&2
  exit 1
}
$sudo apt-get update -qq
# shellcheck disable=SC2086 (one argument per package)
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $wanted >/dev/null
