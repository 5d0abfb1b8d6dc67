#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# check_symbols.sh LIBRARY LIST HEADER: the library shows the functions of LIST, under their versions, and nothing else, and
# HEADER declares just these. A line of LIST that goes or changes breaks programs that are there; functions are only ever added.
set -euo pipefail
export LC_ALL=C
library=$1 list=$2 header=$3
status=0
same() {
    diff -u --label "$2" --label "$1" "$list_now" - || { echo "$1 and $2 differ"; status=1; }
}
list_now=$(mktemp)
trap 'rm -f "$list_now"' EXIT
sort "$list" > "$list_now"
nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' | sort | same "$library" "$list"
sed 's/@.*//' "$list" | sort > "$list_now"
grep -oE '^SERPENT_API [^(]*\(' "$header" | grep -oE 'serpent_[a-z_]+\(' | tr -d '(' | sort | same "$header" "$list"
exit $status
