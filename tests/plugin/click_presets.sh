#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# click_presets.sh PICTURES HOST ARGUMENTS...: saves, replaces, renames and deletes a preset as a hand would, and looks at the
# files. The window's questions are answered with the mouse and with the keyboard.
home=$(mktemp -d)
export HOME=$home XDG_CONFIG_HOME=$home
source "$(dirname "$0")/hand.sh"
trap 'exec 4>&-; wait $host 2>/dev/null || true; rm -rf "$folder" "$home"' EXIT
presets=$home/Serpent/Presets

# there NAME, gone NAME: within 5 s.
there() { for _ in $(seq 50); do [ -f "$presets/$1.serpentpreset" ] && return; sleep 0.1; done; fail "no preset $1: $(ls "$presets")"; }
gone() { for _ in $(seq 50); do [ -f "$presets/$1.serpentpreset" ] || return 0; sleep 0.1; done; fail "$1 is still there"; }
input_in() { sed -n 's/.*"input_db" value="\([^"]*\)".*/\1/p' "$presets/$1.serpentpreset"; }
# saved NAME VALUE: the file says so within 5 s.
saved() { for _ in $(seq 50); do [ "$(input_in "$1")" = "$2" ] && return; sleep 0.1; done; fail "Input in $1 is $(input_in "$1"), not $2"; }
set_input() { click 60 511; press Return; press ctrl+a; xdotool type -- "$1"; press Return; }  # in dB
save() { click 664 28; sleep 0.7; }
# from_menu UPS: the first preset in the sub-menu that is so many above the end of the menu.
from_menu() {
    click 464 28; sleep 0.5
    for _ in $(seq "$1"); do press Up; done
    press Right; press Return; sleep 0.5
}
rename() { from_menu 3; }
delete() { from_menu 2; }

set_input 6; until_is Input '== 0.625'
save; picture question_save
xdotool type 'Crunch v1.5'; sleep 0.3; click 437 371  # Save
there 'Crunch v1.5'; saved 'Crunch v1.5' 0.625

set_input -12; until_is Input '== 0.25'
save; press Return; sleep 0.5; picture question_replace
press Escape; sleep 0.5; saved 'Crunch v1.5' 0.625
save; press Return; sleep 0.5; click 525 348; sleep 0.5; saved 'Crunch v1.5' 0.625
save; press Return; sleep 0.5; press Return; saved 'Crunch v1.5' 0.25
[ "$(ls -A "$presets" | wc -l)" -eq 1 ] || fail "there is more than one preset: $(ls -A "$presets")"

rename; picture question_rename
press ctrl+a; xdotool type 'Crunch v1.6'; press Return
there 'Crunch v1.6'; gone 'Crunch v1.5'; saved 'Crunch v1.6' 0.25
save; press Return; sleep 0.5; picture renamed  # asks about the new name
press Escape

delete; picture question_delete
press Escape; sleep 0.5; there 'Crunch v1.6'
delete; press Return; gone 'Crunch v1.6'
[ -z "$(ls -A "$presets")" ] || fail "something is left: $(ls -A "$presets")"
picture deleted
for name in question_save question_replace question_rename question_delete; do
    cmp -s "$pictures/$name.png" "$pictures/deleted.png" && fail "$name.png shows no question"
done
save; press Return; sleep 0.5; picture no_name  # what plays is called nothing now, which no preset can be
[ -z "$(ls -A "$presets")" ] || fail "the deleted preset is back: $(ls -A "$presets")"
save; echo r >&4; find_window 2  # the editor is closed over its question
sleep 1; place
set_input 0; until_is Input '== 0.5'
echo "a preset saved, replaced, renamed and deleted"
close_host
