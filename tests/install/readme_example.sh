#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# readme_example.sh README MAIN_CPP CMAKELISTS: the README shows, line by line, the example that the install test builds.
set -euo pipefail
readme=$1
status=0
for file in "$2" "$3"; do
    body=$(awk 'body || !/^(\/\/|\/\*|# )/ { body = 1; print }' "$file")  # without the comment lines at its top
    if [[ $(<"$readme") != *"$body"* ]]; then
        echo "$readme does not show $file as it is:"
        echo "$body"
        status=1
    fi
done
exit $status
