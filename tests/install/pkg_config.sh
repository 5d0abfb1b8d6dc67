#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# pkg_config.sh LIBDIR CC MODEL FOLDER: compiles the example of docs/c_api.md with what pkg-config says, against the shared
# library and against the archives, and plays MODEL with it.
set -euo pipefail
libdir=$1 cc=$2 model=$3 folder=$4
main=$(dirname "$0")/consumer_c/main.c
export PKG_CONFIG_PATH=$libdir/pkgconfig
strict=(-std=c11 -Wall -Wextra -pedantic -Werror)
mkdir -p "$folder"
pkg-config --exists --print-errors 'serpent >= 0.1'
read -ra cflags <<< "$(pkg-config --cflags serpent)"
read -ra libs <<< "$(pkg-config --libs serpent)"
[[ ${libs[*]} != *sndfile* ]] || { echo "the shared library's users need none of: ${libs[*]}"; exit 1; }
"$cc" "${strict[@]}" "${cflags[@]}" "$main" "${libs[@]}" -o "$folder/shared"
LD_LIBRARY_PATH=$libdir "$folder/shared" "$model"

# What `pkg-config --static` says but for the libraries' own private ones, for which Debian's libsndfile names some that it lacks.
mapfile -t modules < <(pkg-config --print-requires-private serpent)
[ ${#modules[@]} -gt 0 ]
read -ra libs <<< "-L$libdir -l:libserpent.a $(sed -n 's/^Libs.private: //p' "$libdir/pkgconfig/serpent.pc") $(pkg-config --libs "${modules[@]}")"
"$cc" "${strict[@]}" "${cflags[@]}" "$main" "${libs[@]}" -o "$folder/static"
"$folder/static" "$model"
