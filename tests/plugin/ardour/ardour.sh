#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# ardour.sh vst3 BUNDLE | lv2 URI: Ardour itself, without window and sound card. A program is chosen, values changed, the session
# saved, opened, saved and opened again: each time it has to hold what was saved the first time.
set -euo pipefail
format=$1 plugin=$2
here=$(cd "$(dirname "$0")" && pwd)
if ! command -v ardour7-lua >/dev/null; then
    echo "skipped: ardour7-lua is not here (Debian: apt-get install ardour)"
    exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export HOME=$folder XDG_CONFIG_HOME=$folder/.config XDG_CACHE_HOME=$folder/.cache
mkdir -p "$HOME/.vst3"
fail() { echo "FAILED: $1"; tail -40 "$folder"/log_* 2>/dev/null; exit 1; }

if [ "$format" = vst3 ]; then  # which Ardour loads when it was scanned before
    ln -s "$plugin" "$HOME/.vst3/Serpent.vst3"
    libraries=$(sed -n 's/^export ARDOUR_DLL_PATH=//p' "$(command -v ardour7-lua)")
    LD_LIBRARY_PATH=$libraries ARDOUR_DLL_PATH=$libraries ARDOUR_DATA_PATH=/usr/share/ardour7 ARDOUR_CONFIG_PATH=/etc/ardour7 \
        "$libraries/ardour-vst3-scanner" -f "$HOME/.vst3/Serpent.vst3" >"$folder/log_scan" 2>&1 || fail "the plugin cannot be scanned"
    id=$(grep -h -o 'uid="[0-9A-F]*"' -r "$XDG_CACHE_HOME" | head -1 | tr -dc '0-9A-F')
    kind=VST3
else
    id=$plugin kind=LV2
fi

# What the plugin's state in the session is, as text.
state() {
    if [ "$format" = vst3 ]; then
        sed -n 's/.*<chunk>\(.*\)<\/chunk>.*/\1/p' "$folder/session/session.ardour"
    else
        grep -h -o 'StateString> *"*[A-Za-z0-9.+/]*' -r "$folder/session/plugins/"*"/$(sed -n 's/.*state-dir="\([^"]*\)".*/\1/p' "$folder/session/session.ardour")"
    fi
}
session() {
    timeout 60 ardour7-lua "$here/session.lua" "$1" "$folder/session" "$kind" "$id" </dev/null >"$folder/log_$2" 2>&1 || fail "$2"
    grep -q '^done' "$folder/log_$2" || fail "$2"
    grep '^value' "$folder/log_$2" >"$folder/values_$2"
    state >"$folder/state_$2"
    [ -s "$folder/state_$2" ] || fail "no state in the session after: $2"
}
session make make
if [ "$format" = vst3 ]; then
    grep -q '^value Mix 0.25' "$folder/values_make" || fail "Mix was not changed"
fi
for again in opened opened_again; do
    session open $again
    diff "$folder/values_make" "$folder/values_$again" || fail "$again: values differ"
    cmp -s "$folder/state_make" "$folder/state_$again" || fail "$again: the plugin's state differs"
done
echo "$(wc -l <"$folder/values_make") values and the state stay over two openings"
