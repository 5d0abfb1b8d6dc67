#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# click_editor.sh PICTURES HOST ARGUMENTS...: opens the editor in the host on this display, clicks and drags as a hand would, and
# looks whether the host hears of it. Leaves pictures of the screen in PICTURES.
set -euo pipefail
pictures=$1
shift
mkdir -p "$pictures"
folder=$(mktemp -d)
mkfifo "$folder/in"
"$@" --window <"$folder/in" >"$folder/out" 2>&1 &
host=$!
exec 4>"$folder/in"
trap 'exec 4>&-; wait $host 2>/dev/null || true; rm -rf "$folder"' EXIT

fail() { echo "FAILED: $1"; cat "$folder/out"; import -window root "$pictures/failed.png" || true; exit 1; }
value() { grep "^$1 " "$folder/out" | tail -1 | sed 's/.* //'; }
# until NAME CONDITION: the host's value of that parameter meets it within 5 s.
until_is() {
    for _ in $(seq 50); do
        awk -v v="$(value "$1")" "BEGIN { exit !(v != \"\" && v $2) }" && return
        sleep 0.1
    done
    fail "$1 is $(value "$1"), not $2"
}
for _ in $(seq 100); do grep -q '^open' "$folder/out" && break; kill -0 $host || fail "no host"; sleep 0.1; done
window=$(timeout 20 xdotool search --sync --onlyvisible --name '^Serpent$' | head -1) || fail "no window"
xdotool windowfocus --sync "$window" || true
sleep 1
geometry() { xwininfo -id "$window" | sed -n "s/.*$1: *//p"; }
X=$(geometry 'Absolute upper-left X') Y=$(geometry 'Absolute upper-left Y')
[ "$(geometry Width)" -eq 960 ] || fail "the window is $(geometry Width) wide"
at() { xdotool mousemove $((X + $1)) $((Y + $2)); sleep 0.1; }
click() { at "$1" "$2"; xdotool click 1; sleep 0.2; }

until_is Bypass '== 0'
click 898 28; until_is Bypass '== 1'; click 898 28; until_is Bypass '== 0'
click 200 397; until_is 'Gate On' '== 1'
click 370 397; until_is 'EQ On' '== 1'
click 91 94; until_is Slot '== 1'; click 52 94; until_is Slot '== 0'
at 60 511; xdotool mousedown 1; for i in $(seq 10); do at 60 $((511 - 6 * i)); done; xdotool mouseup 1; sleep 0.5
until_is Input '> 0.6'
at 98 238; xdotool mousedown 1; for i in $(seq 10); do at 98 $((238 + 6 * i)); done; xdotool mouseup 1; sleep 0.5
until_is 'A Threshold' '< 0.4'
echo "buttons, switches and knobs: the host hears them"

press() { xdotool key "$@"; sleep 0.3; }
before=$(value 'A Threshold')
sleep 0.5; press Up; until_is 'A Threshold' "> $before"
click 60 511; sleep 1; before=$(value Input)  # where the keyboard was not
press Down; until_is Input "< $before"
press Return; press ctrl+a; xdotool type 6; press Return; until_is Input '== 0.625'
press Tab; press Tab; press shift+Tab; press shift+Tab; press Up; until_is Input '> 0.625'
at 60 553; xdotool click --repeat 2 --delay 90 1; sleep 0.8  # the value itself
press ctrl+a; xdotool type --delay 40 -- -12; press Return; until_is Input '== 0.25'
press ctrl+z; until_is Input '> 0.6'; press ctrl+y; until_is Input '== 0.25'
echo "keys: arrows, Tab and typed values reach the clicked knob"

import -window root "$pictures/screen.png"
click 464 28; sleep 0.5; import -window root "$pictures/menu_presets.png"; xdotool key Escape; sleep 0.3
click 832 28; sleep 0.5; import -window root "$pictures/menu_settings.png"; xdotool key Escape; sleep 0.3
click 597 94; sleep 0.5; import -window root "$pictures/info.png"; xdotool key Escape; sleep 0.3
for picture in screen menu_presets menu_settings info; do
    [ "$(identify -format %k "$pictures/$picture.png")" -gt 200 ] || fail "$picture.png shows nothing"
done
cmp -s "$pictures/screen.png" "$pictures/menu_presets.png" && fail "no menu opens"
# The editor goes while the model that it asked for loads; what was asked for plays all the same.
for i in 1 2 3 4 5 6; do
    at 196 94
    xdotool click 1
    sleep "0.0$((i % 3 * 2))"
    echo r >&4
    for _ in $(seq 100); do [ "$(grep -c '^open' "$folder/out")" -gt "$i" ] && break; sleep 0.1; done
    window=$(timeout 20 xdotool search --sync --onlyvisible --name '^Serpent$' | head -1) || fail "no window after $i closings"
    sleep 0.5
    X=$(geometry 'Absolute upper-left X') Y=$(geometry 'Absolute upper-left Y')
done
[ "$(grep '^model' "$folder/out" | sort -u | wc -l)" -ge 4 ] || fail "the next model was not loaded: $(grep '^model' "$folder/out")"
echo "closed while it loads: $(grep -c '^model' "$folder/out") times"

exec 4>&-
wait $host || fail "the host ends with status $?"
grep -q closed "$folder/out" || fail "the host did not close its window"
echo "pictures: $pictures"
