#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Proves that check.sh can fail: each planted violation must be found, and named, in an otherwise clean tree.
set -euo pipefail
check=$(dirname "$(realpath "$0")")/check.sh
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failures=0

clean_tree() {
    rm -rf "${tree:?}"/*
    mkdir -p "$tree"/{kernels/{include/serpent/kernels,cpu},core/{include/serpent,src},standalone,plugin,tests/plugin}
    echo '// SPDX-License-Identifier: MIT' | tee "$tree"/kernels/include/serpent/kernels/scan.h \
        "$tree"/core/include/serpent/model.h "$tree"/core/src/pool.h >"$tree"/core/src/model.cpp
    printf '// SPDX-License-Identifier: MIT\n#include <hwy/highway.h>\n' >"$tree"/kernels/cpu/scan.cpp
    printf '// SPDX-License-Identifier: GPL-3.0-or-later\n#include "serpent/model.h"\n' |
        tee "$tree"/plugin/editor.h >"$tree"/standalone/commands.h
    printf '// SPDX-License-Identifier: GPL-3.0-or-later\n#include <juce_core/juce_core.h>\n' |
        tee "$tree"/plugin/look.cpp >"$tree"/tests/plugin/host.cpp
}

# plant FILE TEXT WORDS: appends TEXT to FILE; the check must then fail and say WORDS.
plant() {
    clean_tree
    printf '%b\n' "$2" >>"$tree/$1"
    if output=$("$check" "$tree"); then
        echo "not noticed: '$2' in $1"
        failures=$((failures + 1))
    elif ! grep -qF "$3" <<<"$output"; then
        printf "noticed for the wrong reason: '%s' in %s\n%s\n" "$2" "$1" "$output"
        failures=$((failures + 1))
    fi
}

clean_tree
"$check" "$tree" >/dev/null || { echo "a clean tree must pass"; "$check" "$tree"; exit 1; }

mit='// SPDX-License-Identifier: MIT'
gpl='// SPDX-License-Identifier: GPL-3.0-or-later'
plant core/src/new.cpp 'int x;' 'core/src/new.cpp: needs'
plant core/src/new.cpp "$gpl" 'core/src/new.cpp: needs'
plant tests/new.cpp "$mit" 'tests/new.cpp: needs'
plant tests/script '#!/bin/sh' 'tests/script: needs'
plant core/src/model.cpp '#include "hwy/highway.h"' 'only kernels/cpu/ may include Highway'
plant core/src/model.cpp '#  include <juce_core/juce_core.h>' 'only plugin/ may include JUCE'
plant tests/new.cpp "$gpl\n#include <juce_core/juce_core.h>" 'only plugin/ may include JUCE'
plant standalone/commands.h '#include <JuceHeader.h>' 'only plugin/ may include JUCE'
plant core/src/model.cpp '#include <rtaudio/RtAudio.h>' 'only standalone/live may include RtAudio'
plant standalone/commands.h '#include <cuda_runtime.h>' 'only kernels/cuda/ may include CUDA headers'
plant plugin/editor.h '#include "kernels/cuda/scan.cuh"' 'only kernels/cuda/ may include CUDA headers'
plant kernels/cpu/scan.cpp '#include "serpent/model.h"' 'kernels may not include core'
plant kernels/cpu/scan.cpp '#include "pool.h"' 'kernels may not include core'
plant kernels/cpu/scan.cpp '#include "../../core/src/pool.h"' 'kernels may not include core'
plant core/src/model.cpp '#include "../../standalone/commands.h"' 'core may not include standalone'
plant core/src/model.cpp '#include "commands.h"' 'core may not include standalone'
plant core/src/model.cpp '#include "plugin/editor.h"' 'core may not include plugin'
plant standalone/commands.h '#include "../plugin/editor.h"' 'standalone may not include plugin'

[ "$failures" -eq 0 ] || { echo "$failures planted violation(s) missed"; exit 1; }
echo "every planted violation was found"
