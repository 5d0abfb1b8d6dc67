#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# click_editor.sh PICTURES HOST ARGUMENTS...: opens the editor in the host on this display, clicks and drags as a hand would, and
# looks whether the host hears of it. Leaves pictures of the screen in PICTURES.
source "$(dirname "$0")/hand.sh"

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

picture screen
click 464 28; sleep 0.5; picture menu_presets; xdotool key Escape; sleep 0.3
click 832 28; sleep 0.5; picture menu_settings; xdotool key Escape; sleep 0.3
click 597 94; sleep 0.5; picture info; xdotool key Escape; sleep 0.3
for name in screen menu_presets menu_settings info; do
    [ "$(identify -format %k "$pictures/$name.png")" -gt 200 ] || fail "$name.png shows nothing"
done
cmp -s "$pictures/screen.png" "$pictures/menu_presets.png" && fail "no menu opens"
# The editor goes while the model that it asked for loads; what was asked for plays all the same.
for i in 1 2 3 4 5 6; do
    at 196 94
    xdotool click 1
    sleep "0.0$((i % 3 * 2))"
    echo r >&4
    find_window $((i + 1))
    sleep 0.5
    place
done
[ "$(grep '^model' "$folder/out" | sort -u | wc -l)" -ge 4 ] || fail "the next model was not loaded: $(grep '^model' "$folder/out")"
echo "closed while it loads: $(grep -c '^model' "$folder/out") times"

close_host
