#!/usr/bin/env bash
# Usage: size.sh [LINES]. Prints the bytes of flash and stack that each program takes on a Cortex-M4, and then its LINES
# largest symbols (default 0). The variable LEVEL sets the optimisation level (default z).
set -euo pipefail
cd "$(dirname "$0")"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-../../target/firmware}
export CARGO_PROFILE_RELEASE_OPT_LEVEL=${LEVEL:-z}
. ./toolchain.sh
install binutils-arm-none-eabi

target=thumbv7em-none-eabi
build "$target"
echo "thumbv7em, opt-level $CARGO_PROFILE_RELEASE_OPT_LEVEL, fat LTO, one codegen unit, panic abort; $compiler, core built with it"
for program in stop_and_wait file_client listener; do
  image=$CARGO_TARGET_DIR/$target/release/$program
  # The largest frame is that of `main`, which contains the memory of the program.
  frame=$(arm-none-eabi-objdump -d "$image" |
    awk '/\tsub(w|\.w)?\tsp, (sp, )?#/ { sub(/.*#/, ""); if ($1 > most) most = $1 } END { print most + 0 }')
  arm-none-eabi-size -A "$image" | awk -v program="$program" -v frame="$frame" '
    $1 == ".text" { text = $2 } $1 == ".rodata" { rodata = $2 } $1 == ".data" { data = $2 }
    END { printf "%-14s text %6d  rodata %6d  sum %6d  data %d  largest frame %6d\n", program, text, rodata, text + rodata, data, frame }'
  arm-none-eabi-nm --size-sort -S -r -C -t d "$image" |
    awk -v lines="${1:-0}" 'NR <= lines { size = $2 + 0; $1 = $2 = $3 = ""; printf "%8d %s\n", size, $0 }'
done
