#!/usr/bin/env bash
# A session and a copy while the network is cut for a while and comes back: cut.sh STACK-SCRIPT DIRECTORY
#
# Run it in a network namespace of its own (unshare -n): what is cut is its loopback. Prints "whole" last if nothing was lost.
set -euo pipefail

STACK=$1
DIR=$2
# Longer than a retransmission or two, shorter than anybody's patience.
CUT_SECONDS=3
BYTES=60000000

ip link set lo up
trap '"$STACK" down "$DIR" >&2' EXIT
"$STACK" up "$DIR" >&2
source "$DIR/stack.env"

# Halfway through the copy the network is gone, both ways and for everybody. The input waits until then, so that there is a second half.
mkfifo "$DIR/input"
ssh -F "$DIR/ssh_config" db1 "sha256sum; echo over" <"$DIR/input" >"$DIR/output" &
COPY=$!
exec 5>"$DIR/input"
head -c $((BYTES / 2)) /dev/zero >&5
ip link set lo down
(sleep "$CUT_SECONDS" && ip link set lo up) &
head -c $((BYTES / 2)) /dev/zero >&5
exec 5>&-
wait "$COPY"
EXPECTED=$(head -c "$BYTES" /dev/zero | sha256sum)
[[ $(<"$DIR/output") == "$EXPECTED"$'\n'over ]] || { cat "$DIR/output" && exit 1; }
echo whole
