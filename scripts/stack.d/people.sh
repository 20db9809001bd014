# shellcheck shell=bash
# Sourced by scripts/stack: alice, bob and carol, what their ssh is told, and alice's certificates.

# make_people: enrols each with a key and signs in their `dayfly`.
make_people() {
    make_person alice --group dba --group web
    make_person bob
    make_person carol --group reviewers
}

# make_person NAME ENROLMENT-OPTIONS…
make_person() {
    local name=$1 home=$DIR/home/$1
    shift
    mkdir -p "$home"
    ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$home/id_ed25519"
    "$DAYFLY_BIN/dayfly-ca" user add --config "$DAYFLY_CA_CONFIG" "$name" --key "$home/id_ed25519.pub" "$@" >>"$TRACES/setup"
    DAYFLY_HOME=$home "$DAYFLY_BIN/dayfly" login "$DAYFLY_CA_URL" --pin "$DAYFLY_CA_PIN" --identity "$home/id_ed25519" >>"$TRACES/setup"
}

# renew: fresh certificates where ssh_config looks for them.
renew() {
    mkdir -p "$DAYFLY_ALICE_HOME/certs"
    certificate db-admin db1
    certificate web web1
}

certificate() {
    DAYFLY_HOME=$DAYFLY_ALICE_HOME "$DAYFLY_BIN/dayfly" cert "$1" --target "$2" --out "$DAYFLY_ALICE_HOME/certs/$2" >>"$TRACES/setup"
}

# One certificate opens both hops, so that each target has its own way through the one bastion.
write_client_configuration() {
    local certs=$DAYFLY_ALICE_HOME/certs
    local names="127.0.0.1,localhost,[127.0.0.1]:$BASTION_PORT,[localhost]:$BASTION_PORT"
    {
        echo "@cert-authority bastion,$names $(<"$DAYFLY_CA_DIR/keys/host_ca.pub")"
        echo "@cert-authority db1 $(<"$DAYFLY_CA_DIR/keys/inner_host_ca.pub")"
        echo "@cert-authority web1 $(<"$DAYFLY_CA_DIR/keys/host_ca.pub")"
    } >"$DAYFLY_KNOWN_HOSTS"
    {
        client_hop bastion db1
        client_hop bastion-web1 web1
        client_target db1 bastion
        client_target web1 bastion-web1
        cat <<CONFIG
Host *
    User $DAYFLY_ACCOUNT
    UserKnownHostsFile "$DAYFLY_KNOWN_HOSTS"
    GlobalKnownHostsFile none
    StrictHostKeyChecking yes
    UpdateHostKeys no
    IdentityAgent none
    IdentitiesOnly yes
    PreferredAuthentications publickey
    BatchMode yes
CONFIG
    } >"$DAYFLY_SSH_CONFIG"
}

# client_hop HOST CERTIFICATE
client_hop() {
    cat <<CONFIG
Host $1
    HostName 127.0.0.1
    Port $BASTION_PORT
    HostKeyAlias bastion
    IdentityFile "$certs/$2"
    CertificateFile "$certs/$2-cert.pub"

CONFIG
}

# client_target HOST HOP
client_target() {
    cat <<CONFIG
Host $1
    ProxyJump $2
    IdentityFile "$certs/$1"
    CertificateFile "$certs/$1-cert.pub"

CONFIG
}
