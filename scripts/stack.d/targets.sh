# shellcheck shell=bash
# Sourced by scripts/stack: the targets, each a real sshd run by whoever calls.

# make_target NAME PORT CA: an sshd that trusts certificates of that CA for ACCOUNT@NAME, and nothing else.
make_target() {
    local name=$1 port=$2 ca=$3 dir=$DIR/targets/$1
    mkdir -p "$dir/principals"
    ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$dir/host_key"
    ssh-keygen -q -s "$DAYFLY_CA_DIR/keys/host_ca" -I "$name" -h -n "$name" -V -5m:+52w "$dir/host_key.pub"
    cp "$DAYFLY_CA_DIR/keys/$ca.pub" "$dir/trusted_ca.pub"
    echo "$DAYFLY_ACCOUNT@$name" >"$dir/principals/$DAYFLY_ACCOUNT"
    cat >"$dir/sshd_config" <<CONFIG
Port $port
ListenAddress 127.0.0.1
PidFile $dir/pid
HostKey $dir/host_key
HostCertificate $dir/host_key-cert.pub

# Certificates of one CA, for the principals that the account's file lists: what a target needs, and all it needs.
TrustedUserCAKeys $dir/trusted_ca.pub
AuthorizedPrincipalsFile $dir/principals/%u
AuthenticationMethods publickey
AuthorizedKeysFile none
PermitRootLogin prohibit-password

# What lets it run under a temporary directory, by anybody, and under the load of tests.
StrictModes no
UsePAM no
MaxStartups 500
MaxSessions 100
LogLevel VERBOSE

AcceptEnv LANG LC_*
PrintMotd no
PrintLastLog no
Subsystem sftp internal-sftp
CONFIG
    # Newer servers hold off an address that fails often; here every client has the same address.
    if "$SSHD" -t -f "$dir/sshd_config" -o PerSourcePenalties=no 2>/dev/null; then
        echo "PerSourcePenalties no" >>"$dir/sshd_config"
    fi
}

start_target() {
    local dir=$DIR/targets/$1
    # As root, sshd insists on the directory that its service would have made.
    if [[ $(id -u) == 0 ]]; then mkdir -p -m 0755 /run/sshd; fi
    rm -f "$dir/pid"
    start "$1" "$SSHD" -D -e -f "$dir/sshd_config"
    await "$1" 30 test -s "$dir/pid"
}
