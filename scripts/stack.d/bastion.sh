# shellcheck shell=bash
# Sourced by scripts/stack: the bastion.

# make_bastion: its configuration and key, and its enrolment at the CA.
make_bastion() {
    mkdir -p "$DAYFLY_BASTION_DIR"
    cat >"$DAYFLY_BASTION_CONFIG" <<CONFIG
name = "bastion"
listen = "127.0.0.1:$BASTION_PORT"
enrolled_key = "bastion_key"
host_key = "host_key"
state = "state"
recordings = "recordings"

[ca]
url = "$DAYFLY_CA_URL"
pin = "$DAYFLY_CA_PIN"

[limits]
# Tests that disable somebody need not wait long.
refresh = "1s"

[penalties]
# Tests fail on purpose, all from one address.
exempt = ["127.0.0.0/8"]
CONFIG
    "$DAYFLY_BIN/dayfly-bastion" key --config "$DAYFLY_BASTION_CONFIG" >"$DAYFLY_BASTION_DIR/bastion_key.pub"
    "$DAYFLY_BIN/dayfly-ca" bastion add --config "$DAYFLY_CA_CONFIG" bastion --key "$DAYFLY_BASTION_DIR/bastion_key.pub" \
        --targets db1 web1 --dials-from 127.0.0.1/32 --host-name 127.0.0.1 --host-name localhost \
        --address "$DAYFLY_BASTION_ADDR" >>"$TRACES/setup"
}

start_bastion() {
    start bastion "$DAYFLY_BIN/dayfly-bastion" serve --config "$DAYFLY_BASTION_CONFIG"
    await bastion 30 is_listening "$BASTION_PORT"
}
