# shellcheck shell=bash
# Sourced by the other scripts: where builds go, and how a missing program is installed.
#
#   DAYFLY_CACHE       everything that is built or installed, outside the checkout; default: $XDG_CACHE_HOME/dayfly or ~/.cache/dayfly
#   CARGO_TARGET_DIR   $DAYFLY_CACHE/target
#   need, need_package, need_cargo_tool

DAYFLY_CACHE="${DAYFLY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dayfly}"
export DAYFLY_CACHE
export CARGO_TARGET_DIR="$DAYFLY_CACHE/target"
# Cargo tells two checkouts in one cache apart by nothing but the age of their files: what another one built is built anew.
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [[ $(cat "$DAYFLY_CACHE/checkout" 2>/dev/null) != "$checkout" ]]; then
    rm -rf "$CARGO_TARGET_DIR"/*/.fingerprint/dayfly*
    mkdir -p "$DAYFLY_CACHE"
    echo "$checkout" >"$DAYFLY_CACHE/checkout"
fi
# sshd lives in a directory that only root has in its PATH.
PATH="$DAYFLY_CACHE/tools/bin:$HOME/.cargo/bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin"

# need COMMAND PACKAGE...: installs the Debian packages if there is no such command.
need() {
    local command=$1
    shift
    # What the shell itself has under that name is not meant.
    [[ -n $(type -P "$command") ]] && return
    echo "installing $* (for $command)"
    install_packages "$command" "$@"
}

# need_package PACKAGE: installs a Debian package that brings no command.
need_package() {
    echo "installing $1"
    install_packages "$1" "$1"
}

install_packages() {
    local command=$1
    shift
    if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
        echo "cannot install: \`$command\` is missing. As root: apt-get install --no-install-recommends $*" >&2
        return 1
    fi
    if [[ -z ${dayfly_apt_updated:-} ]]; then
        apt-get update -q
        dayfly_apt_updated=1
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
}

# need_rust: cargo is the one thing that is not installed from here, since how it gets on a machine is the machine's owner's choice.
need_rust() {
    command -v cargo >/dev/null && return
    echo "cargo is missing: install Rust 1.95 or newer, for example from https://rustup.rs" >&2
    return 1
}

# need_cargo_tool COMMAND VERSION: builds a tool of that name from crates.io, once.
need_cargo_tool() {
    command -v "$1" >/dev/null && return
    echo "building $1 $2"
    CARGO_TARGET_DIR="$DAYFLY_CACHE/tools-target" cargo install "$1" --version "$2" --locked --quiet --root "$DAYFLY_CACHE/tools"
}
