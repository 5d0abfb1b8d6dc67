#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# ardour.sh vst3 BUNDLE | lv2 URI: Ardour itself, without window and sound card. A program is chosen, values changed, the
# session saved, exported, opened and exported again: it has to hold, and to sound like, what was saved the first time.
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
mkdir -p "$HOME/.vst3" "$XDG_CONFIG_HOME/ardour7/scripts" "$XDG_CONFIG_HOME/ardour7/export"
cp "$here/notes.lua" "$XDG_CONFIG_HOME/ardour7/scripts"
cp "$here"/float.* "$XDG_CONFIG_HOME/ardour7/export"
fail() { echo "FAILED: $1"; tail -40 "$folder"/log_* 2>/dev/null; exit 1; }

if [ "$format" = vst3 ]; then  # which Ardour loads when it was scanned before
    ln -s "$plugin" "$HOME/.vst3/Serpent.vst3"
    libraries=$(sed -n 's/^export ARDOUR_DLL_PATH=//p' "$(command -v ardour7-lua)")
    LD_LIBRARY_PATH=$libraries ARDOUR_DLL_PATH=$libraries ARDOUR_DATA_PATH=/usr/share/ardour7 ARDOUR_CONFIG_PATH=/etc/ardour7 \
        "$libraries/ardour-vst3-scanner" -f "$HOME/.vst3/Serpent.vst3" >"$folder/log_scan" 2>&1 || fail "it cannot be scanned"
    id=$(grep -h -o 'uid="[0-9A-F]*"' -r "$XDG_CACHE_HOME" | head -1 | tr -dc '0-9A-F')
    kind=VST3
else
    id=$plugin kind=LV2
fi

# The file of the session that the plugin's state is in, and the state as text.
state_file() {
    if [ "$format" = vst3 ]; then
        echo "$folder/session/session.ardour"
    else
        local saved
        saved=$(sed -n 's/.*state-dir="\([^"]*\)".*/\1/p' "$folder/session/session.ardour")
        echo "$folder"/session/plugins/*/"$saved/state.ttl"
    fi
}
state() { sed -n 's/.*\(<chunk>.*<\/chunk>\|StateString> ".*"\).*/\1/p' "$(state_file)"; }

# session make|open NAME: leaves what Ardour showed, saved and played in files of that name. Ardour 7.3 itself breaks its heap now
# and then on a busy machine (3 of 36 sessions in which there was no plugin at all), and is asked again.
session() {
    local status
    for _ in 1 2 3 4 5; do
        rm -rf "$folder/before"
        [ ! -d "$folder/session" ] || cp -r "$folder/session" "$folder/before"
        status=0
        timeout 60 ardour7-lua "$here/session.lua" "$1" "$folder/session" "$kind" "$id" "$2" </dev/null >"$folder/log_$2" 2>&1 || status=$?
        [ "$status" -eq 134 ] || [ "$status" -eq 139 ] || break  # SIGABRT, SIGSEGV
        echo "Ardour ended by a signal: $2" >&2
        rm -rf "$folder/session"
        [ ! -d "$folder/before" ] || cp -r "$folder/before" "$folder/session"
    done
    [ "$status" -eq 0 ] || fail "$2"
    grep -q '^done' "$folder/log_$2" || fail "$2"
    grep '^value' "$folder/log_$2" >"$folder/values_$2"
    state >"$folder/state_$2"
    [ -s "$folder/state_$2" ] || fail "no state in the session after: $2"
    local wav=$folder/session/export/$2.wav start
    start=$(grep -abo -m1 data "$wav" | head -1 | cut -d: -f1)
    tail -c +$((start + 9)) "$wav" | od -An -v -f -w8 >"$folder/sound_$2"
}
# The largest difference of two exported sounds, from each one's first note on: Ardour does not always start an export on time.
difference() {
    awk '/nan|inf/ { print "no numbers"; exit }
         FNR == 1 { file++ }
         count[file] || $1 > 0.001 || $1 < -0.001 { n = ++count[file]; left[file, n] = $1; right[file, n] = $2 }
         END {
             shorter = count[1] < count[2] ? count[1] : count[2]
             if (shorter < 45000) { print "too short: " shorter; exit }
             for (n = 1; n <= shorter; n++) {
                 d = left[1, n] - left[2, n]; if (d < 0) d = -d; if (d > most) most = d
                 d = right[1, n] - right[2, n]; if (d < 0) d = -d; if (d > most) most = d
             }
             printf "%.9f\n", most
         }' "$folder/sound_$1" "$folder/sound_$2"
}
same() {
    diff "$folder/values_$1" "$folder/values_$2" || fail "$2: values differ"
    cmp -s "$folder/state_$1" "$folder/state_$2" || fail "$2: the plugin's state differs"
    local apart
    apart=$(difference "$1" "$2")
    [[ "$apart" =~ ^0\.00000 ]] || fail "$2: the exported sound differs: $apart"
}

session make make
if [ "$format" = vst3 ]; then
    grep -q '^value Mix 0.25' "$folder/values_make" || fail "Mix was not changed"
fi
session open opened
same make opened
# What Ardour cannot change without a window is changed in its file.
ardour7-lua "$here/change_state.lua" "$(state_file)" </dev/null >"$folder/log_change" 2>&1 || true
grep -q '^done' "$folder/log_change" || fail "change"
state >"$folder/state_change"
session open changed
cmp -s "$folder/state_change" "$folder/state_changed" || fail "changed: the plugin's state differs"
apart=$(difference make changed)
[[ "$apart" =~ ^0\.00000 ]] && fail "changed: it sounds as before"
session open changed_again
same changed changed_again
echo "$(wc -l <"$folder/values_make") values, the state and the sound stay over openings (what oversampling changes: $apart)"
