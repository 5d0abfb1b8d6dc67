#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# check.sh ROOT: dependencies point one way (kernels <- core <- plugin, standalone), each framework is seen by one
# folder only, and every source file names the licence of its folder. Prints each violation; status 1 if there is any.
set -euo pipefail
cd "$1"
violations=0
violation() { echo "error: $*"; violations=$((violations + 1)); }

existing() { for folder in "$@"; do [ -e "$folder" ] && echo "$folder"; done; return 0; }

# Source files of the given folders, one a line. Scripts have no extension: whatever starts with #! is one.
sources() {
    local folders; mapfile -t folders < <(existing "$@")
    [ ${#folders[@]} -gt 0 ] || return 0
    find "${folders[@]}" -type f \( -name '*.h' -o -name '*.hpp' -o -name '*.c' -o -name '*.cpp' -o -name '*.cu' \
        -o -name '*.cuh' -o -name '*.mm' -o -name '*.cmake' -o -name '*.in' -o -name '*.sh' -o -name '*.py' \
        -o -name '*.js' -o -name '*.css' -o -name '*.html' -o -name CMakeLists.txt \)
    find "${folders[@]}" -type f ! -name '*.*' -exec grep -lIm1 '^#!' {} +
    return 0
}

# --- licences -------------------------------------------------------------------------------------------------------
licence() {
    local expected=$1; shift
    while read -r file; do
        head -n 3 "$file" | grep -qE "SPDX-License-Identifier: $expected( \*/| -->)?\$" ||
            violation "$file: needs 'SPDX-License-Identifier: $expected' among its first three lines"
    done < <(sources "$@" | sort -u)
}
licence MIT kernels core
licence GPL-3.0-or-later plugin standalone tests assets scripts cmake .ci CMakeLists.txt

# --- frameworks: included by one folder only, and by its tests ------------------------------------------------------------------------
# includes PATTERN FOLDERS...: "file:line:the #include" for every header name that matches.
includes() {
    local pattern=$1; shift
    mapfile -t files < <(sources "$@" | sort -u)
    [ ${#files[@]} -gt 0 ] || return 0
    grep -HnE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($pattern)" "${files[@]}" || true
}
only_in() {
    local home=$1 name=$2 pattern=$3 also=${4:-$1}
    while read -r hit; do
        case $hit in "$home"* | "tests/$home"* | "$also"*) continue ;; esac
        violation "$hit: only $home may include $name"
    done < <(includes "$pattern" kernels core plugin standalone tests assets)
}
cuda='cuda|cooperative_groups|cub/|thrust/|cublas|cufft|nccl|nvtx|nvToolsExt|[^>"]*\.cuh'
only_in kernels/cpu/ Highway 'hwy/'
only_in plugin/ JUCE '(juce|Juce)[A-Za-z_]*'
only_in standalone/live RtAudio '(rtaudio/)?RtAudio|rtaudio_c'
only_in kernels/cuda/ "CUDA headers" "$cuda" tests/benchmark/scan/  # a scan that only the benchmark uses

# --- layers: an #include that resolves to a file of a higher layer --------------------------------------------------
# resolved FILE NAME [FOLDER...]: the file inside the tree that an include of NAME in FILE means, if it is one of ours.
resolved() {
    local file=$1 name=$2 folder; shift 2
    for place in "${file%/*}/$name" "$name" "${@/%//$name}"; do
        if [ -e "$place" ]; then
            realpath --relative-to=. "$place"
            return 0
        fi
    done
}
below() {
    local lower=$1 higher target; shift
    local places=("$lower" "$lower/include" "$lower/src")
    for higher in "$@"; do places+=("$higher" "$higher/include" "$higher/src"); done
    while IFS=: read -r file line include; do
        [[ $include =~ [\<\"]([^\>\"]+)[\>\"] ]] || continue
        target=$(resolved "$file" "${BASH_REMATCH[1]}" "${places[@]}")
        for higher in "$@"; do
            [[ $target != "$higher"/* ]] || violation "$file:$line: $lower may not include $higher (${BASH_REMATCH[1]})"
        done
    done < <(includes '' "$lower")
}
below kernels core plugin standalone
below core plugin standalone
below standalone plugin
below plugin standalone

# --- size: a hint, not a rule ---------------------------------------------------------------------------------------
while read -r lines file; do
    echo "warning: $file has $lines lines; would it part into two ideas?"
done < <(sources kernels core plugin standalone tests assets | xargs -r wc -l | awk '$2 != "total" && $1 > 400')

if [ "$violations" -gt 0 ]; then
    echo "$violations violation(s)"
    exit 1
fi
echo "layers and licences: $(sources kernels core plugin standalone tests assets scripts cmake | wc -l) files in order"
