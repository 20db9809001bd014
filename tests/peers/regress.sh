#!/bin/sh
# shellcheck disable=SC2034,SC2317
# Runs one of OpenSSH's own regression tests by way of a bastion: regress.sh TESTS TEST SSH_CONFIG DIRECTORY
#
# TESTS is where the tests are, SSH_CONFIG has a host `db1` behind a host `bastion`, DIRECTORY is for whatever the test writes. The tests bring a harness
# that starts an sshd for each; this stands in its place, and every host that they name is db1, reached by a ProxyJump, or with REGRESS_WAY=name by the
# user name ACCOUNT@db1 at the bastion. Status 0 if the test passed.

TESTS=$1
TEST=$2
SSH_CONFIG=$3
OBJ=$4
SCRIPT=$TESTS/$TEST.sh

BIN=${REGRESS_OPENSSH:-/usr/bin}
REAL_SSH=$BIN/ssh
SCP=$BIN/scp
SFTP=$BIN/sftp
SFTPSERVER=/usr/lib/openssh/sftp-server
NC=$TESTS/netcat
DATA=$OBJ/data
COPY=$OBJ/copy
TEST_SSH_LOGFILE=$OBJ/ssh.log
TEST_REGRESS_LOGFILE=$OBJ/regress.log
RESULT=0

verbose() { echo "$@"; }
trace() { echo "trace: $*"; }
warn() { echo "warning: $*"; }
fail() {
	RESULT=1
	echo "FAIL: $*"
}
fatal() {
	fail "$*"
	exit 1
}
skip() {
	echo "SKIPPED: $*"
	exit 0
}

# What an sshd would be started and told for is there already.
start_sshd() { :; }
stop_sshd() { :; }
maybe_add_scp_path_to_sshd() { :; }
md5() { md5sum; }

# ssh with a trace, and without the -q that would leave the trace empty.
cat >"$OBJ/ssh" <<WRAPPER
#!/bin/sh
for word; do
	shift
	case "\$word" in -q) ;; *) set -- "\$@" "\$word" ;; esac
done
exec $REAL_SSH -E$TEST_SSH_LOGFILE "\$@"
WRAPPER
chmod +x "$OBJ/ssh"
SSH=$OBJ/ssh

# One of the tests brings a way to connect of its own, by a host and a port.
case "${REGRESS_WAY:-jump} $TEST" in
"name "* | *" connect") block=bastion lines="    User $(id -un)@db1" ;;
*) block=db1 lines="    HostName db1" ;;
esac
hosts="somehost otherhost nexthost thishost hostA hostB"
{
	sed -n "/^Host $block\$/,/^\$/p" "$SSH_CONFIG" | sed "s/^Host .*/Host $hosts/; s/^\$/$lines\n/"
	cat "$SSH_CONFIG"
} >"$OBJ/ssh_config"
cp "$OBJ/ssh_config" "$OBJ/ssh_proxy"
cp "$OBJ/ssh_config" "$OBJ/ssh_config_config"
cp "$REAL_SSH" "$DATA"
chmod u+w "$DATA"
export SSH SCP SFTP SFTPSERVER OBJ

cd "$OBJ" || exit 1
# shellcheck disable=SC1090
. "$SCRIPT"
exit $RESULT
