#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# find_faults.sh HOST PLUGIN ARGUMENTS...: the host must pass the plugin without a fault, and fail it with each of them.
set -euo pipefail
host=$1 plugin=$2
shift 2
missed=0

# faulty FAULT CHECKS: those checks must fail.
faulty() {
    local status=0
    SERPENT_FAULT=$1 timeout 120 "$host" "$plugin" "${arguments[@]}" --only "$2" >output 2>&1 || status=$?
    if [ "$status" -eq 0 ]; then
        echo "not found: $1"
        missed=$((missed + 1))
    else
        echo "found: $1 ($(grep -m1 -o 'FAILED.*' output || echo "status $status"))"
    fi
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
arguments=("$@")
SERPENT_FAULT='' "$host" "$plugin" "${arguments[@]}" --only 'stereo like|comes back|every block|vst3:' ||
    { echo "the plugin without a fault must pass"; exit 1; }
faulty state 'comes back'
faulty 'one parameter' 'comes back'
faulty nan 'stereo like'
faulty crash 'every block'
faulty gain 'stereo like'
faulty 'block start' 'stereo like'
faulty latency 'stereo like'
faulty 'any layout' 'vst3: speaker arrangements'
faulty double 'vst3: double precision'
faulty 'program without a name' 'vst3: units and programs'
faulty 'second start' 'vst3: stopped and started'
faulty 'state counts' 'vst3: states'
[ "$missed" -eq 0 ] || { echo "$missed fault(s) not found"; exit 1; }
