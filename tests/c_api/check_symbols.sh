#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# check_symbols.sh LIBRARY LIST HEADER: the library shows the functions of LIST, under their versions, and nothing else, and
# HEADER declares just these. A line of LIST that goes or changes breaks programs that are there; functions are only ever added.
set -euo pipefail
export LC_ALL=C
library=$1 list=$2 header=$3
listed=$(mktemp)
trap 'rm -f "$listed"' EXIT
status=0

# same WHAT: stdin, sorted, is what is listed.
same() { diff -u --label "$list" --label "$1" "$listed" <(sort); }

sort "$list" > "$listed"
nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' | same "$library" || status=1
sed 's/@.*//' "$list" | sort > "$listed"
grep -oE '^SERPENT_API [^(]*\(' "$header" | grep -oE 'serpent_[a-z_]+\(' | tr -d '(' | same "$header" || status=1
exit $status
