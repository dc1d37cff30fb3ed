# Source this file. It defines `build TARGET [arguments of cargo build]` and `cross COMMAND TARGET [arguments]`. They
# use the compiler of rustup if it has the sources of `core`, otherwise that of Debian. `core` is built with the
# program, because the `core` of rustup is optimised for speed.

targets=(thumbv6m-none-eabi thumbv7m-none-eabi thumbv7em-none-eabi riscv32imc-unknown-none-elf)

if [ -z "${FIRMWARE_TOOLCHAIN:-}" ]; then
  FIRMWARE_TOOLCHAIN=debian
  if rustup component add rust-src >/dev/null 2>&1; then FIRMWARE_TOOLCHAIN=rustup; fi
fi

install() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing+=("$package")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  fi
}

if [ "$FIRMWARE_TOOLCHAIN" = debian ]; then
  install rustc-web cargo-web rust-web-src binutils-arm-none-eabi binutils-riscv64-unknown-elf
  rust=(env RUSTC=/usr/bin/rustc CARGO_TARGET_RISCV32IMC_UNKNOWN_NONE_ELF_LINKER=riscv64-unknown-elf-ld)
  for target in "${targets[@]:0:3}"; do
    variable=CARGO_TARGET_${target^^}_LINKER
    rust+=("${variable//-/_}=arm-none-eabi-ld")
  done
  rust+=(/usr/bin/cargo)
  compiler="$(/usr/bin/rustc --version) of Debian"
else
  rust=(cargo)
  compiler=$(rustc --version)
fi

# Runs a cargo command for a target, and builds `core` with the program.
cross() {
  local command=$1 target=$2
  shift 2
  # By default GNU ld for RISC-V makes 64-bit images.
  case $target in riscv32*) local -x LDEMULATION=elf32lriscv ;; esac
  RUSTC_BOOTSTRAP=1 "${rust[@]}" "$command" --quiet --locked --release -Zbuild-std=core \
    -Zbuild-std-features=optimize_for_size --target "$target" "$@"
}

build() { cross build "$@"; }
