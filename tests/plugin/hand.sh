# SPDX-License-Identifier: GPL-3.0-or-later
# Sourced with PICTURES HOST ARGUMENTS...: opens the editor in the host on this display; what is here clicks, types and looks as
# a hand and an eye would. Leaves pictures of the screen in PICTURES.
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
# until_is NAME CONDITION: the host's value of that parameter meets it within 5 s.
until_is() {
    for _ in $(seq 50); do
        awk -v v="$(value "$1")" "BEGIN { exit !(v != \"\" && v $2) }" && return
        sleep 0.1
    done
    fail "$1 is $(value "$1"), not $2"
}
geometry() { xwininfo -id "$window" | sed -n "s/.*$1: *//p"; }
# find_window COUNT: the editor that was opened as the COUNTth.
find_window() {
    for _ in $(seq 100); do
        [ "$(grep -c '^open' "$folder/out")" -ge "$1" ] && break
        kill -0 $host || fail "no host"
        sleep 0.1
    done
    window=$(timeout 20 xdotool search --sync --onlyvisible --name '^Serpent$' | head -1) || fail "no window"
}
place() { X=$(geometry 'Absolute upper-left X') Y=$(geometry 'Absolute upper-left Y'); }
at() { xdotool mousemove $((X + $1)) $((Y + $2)); sleep 0.1; }
click() { at "$1" "$2"; xdotool click 1; sleep 0.2; }
press() { xdotool key "$@"; sleep 0.3; }
picture() { import -window root "$pictures/$1.png"; }
close_host() {
    exec 4>&-
    wait $host || fail "the host ends with status $?"
    grep -q closed "$folder/out" || fail "the host did not close its window"
    echo "pictures: $pictures"
}

find_window 1
xdotool windowfocus --sync "$window" || true
sleep 1
place
[ "$(geometry Width)" -eq 960 ] || fail "the window is $(geometry Width) wide"
