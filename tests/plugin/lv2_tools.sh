#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# lv2_tools.sh URI BUNDLE: what lv2ls, lv2info, lv2_validate and jalv under a JACK server of its own say of the plugin.
set -euo pipefail
uri=$1 bundle=$2
folder=$(mktemp -d)
server= player=
end() {
    [ -z "$player" ] || kill "$player" 2>/dev/null || true
    # SIGTERM, so that jackd gives its place in JACK's registry back.
    [ -z "$server" ] || { kill -TERM "$server" 2>/dev/null && wait "$server"; } || true
    rm -rf "$folder"
}
trap end EXIT
fail() { echo "FAILED: $1"; cat "$folder"/{info,jackd,jalv} 2>/dev/null; exit 1; }

lv2ls >"$folder/ls" 2>&1
grep -qx "$uri" "$folder/ls" || fail "lv2ls does not list $uri"
LV2_PATH=$LV2_PATH:/usr/lib/lv2 lv2info "$uri" >"$folder/info" 2>&1 || fail "lv2info fails"
! grep -iqE '^(error|warning)|failed' "$folder/info" || fail "lv2info complains"
for expected in 'Name: *Serpent' 'Class: *Amplifier' 'Author: *The authors of Serpent' 'Author Homepage: *http' AudioPort lv2core#reportsLatency lv2core#enabled state#interface; do
    grep -q "$expected" "$folder/info" || fail "lv2info does not mention $expected"
done
rm "$folder/ls"
# JUCE says of parameters whether they are switches, which the schema allows for ports only, and hosts read it all the same.
if command -v lv2_validate >/dev/null; then
    lv2_validate "$bundle"/*.ttl >"$folder/validate" 2>&1 || true
    grep -q 'errors among' "$folder/validate" || fail "lv2_validate does not run"
    awk '/^error/ { message = $0; getline subject; getline property
                    if (property !~ /lv2core#portProperty$/) { print message, subject, property; bad = 1 } }
         END { exit bad }' "$folder/validate" >&2 || fail "lv2_validate complains"
    echo "lv2_validate: $(tail -1 "$folder/validate"), all of JUCE's switches"
fi
echo "lv2ls, lv2info: listed, $(grep -c 'Port [0-9]*:' "$folder/info") ports"

export JACK_NO_AUDIO_RESERVATION=1 JACK_NO_START_SERVER=1
for name in serpent-lv2-1 serpent-lv2-2; do  # few fixed names: see tests/live/jack/jack_harness.cpp
    export JACK_DEFAULT_SERVER=$name
    jackd -r -S -n "$name" -d dummy -r 48000 -p 256 >"$folder/jackd" 2>&1 &
    server=$!
    for _ in $(seq 100); do
        kill -0 "$server" 2>/dev/null || break
        jack_lsp >/dev/null 2>&1 && break 2
        sleep 0.1
    done
    wait "$server" || true
    server=
done
[ -n "$server" ] || fail "no JACK server starts"
mkfifo "$folder/in"
jalv -n serpent -p "$uri" <"$folder/in" >"$folder/jalv" 2>&1 &
player=$!
exec 4>"$folder/in"
for _ in $(seq 100); do
    jack_lsp 2>/dev/null | grep -q '^serpent:' && break
    kill -0 "$player" 2>/dev/null || fail "jalv ends"
    sleep 0.1
done
mapfile -t ports < <(jack_lsp | grep '^serpent:')
[ "${#ports[@]}" -ge 4 ] || fail "jalv has ${#ports[@]} ports"
mapfile -t audio < <(jack_lsp -t | grep -A1 '^serpent:' | grep -B1 'float mono audio' | grep '^serpent:')
[ "${#audio[@]}" -eq 4 ] || fail "jalv has ${#audio[@]} audio ports"
jack_connect system:capture_1 "${audio[0]}"
jack_connect system:capture_2 "${audio[1]}"
jack_connect "${audio[2]}" system:playback_1
sleep 2
kill -0 "$player" 2>/dev/null || fail "jalv ends while it plays"
! grep -iqE 'xrun|error' "$folder/jalv" || fail "jalv complains"
kill -TERM "$player"
wait "$player" || [ $? -eq 143 ] || fail "jalv ends with a fault"
player=
echo "jalv: plays ${audio[*]}"
