#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# with_display.sh COMMAND...: runs it on a display of its own (Xvfb), under a window manager.
set -euo pipefail
folder=$(mktemp -d)
mkfifo "$folder/number"
Xvfb -displayfd 3 -screen 0 2000x1300x24 -nolisten tcp 3>"$folder/number" >"$folder/xvfb" 2>&1 &
server=$!
manager=
end() {
    [ -z "$manager" ] || kill "$manager" 2>/dev/null || true
    kill "$server" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$folder"
}
trap end EXIT
read -r -t 30 number <"$folder/number" || { echo "Xvfb does not start: $(cat "$folder/xvfb")"; exit 1; }
export DISPLAY=:$number
# Without a window manager JUCE asks for atoms that do not exist, which X answers by ending the program: wait for it, and start it
# again if it ended, as it does when the display was not quite ready.
ready=
for _ in $(seq 300); do
    if [ -z "$manager" ] || ! kill -0 "$manager" 2>/dev/null; then
        openbox >>"$folder/openbox" 2>&1 &
        manager=$!
    fi
    xprop -root _NET_SUPPORTING_WM_CHECK 2>/dev/null | grep -q 'window id' && ready=yes && break
    sleep 0.1
done
[ -n "$ready" ] || { echo "openbox does not start: $(cat "$folder/openbox")"; exit 1; }
"$@"
