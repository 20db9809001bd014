"""What paramiko does through the bastion, printed as JSON: with_paramiko.py LOGIN DEED [ARGUMENT].

It knows no certified host keys, so it is given the bastion's host key itself.
"""

import json
import sys

import paramiko


def connect(login):
    key = paramiko.Ed25519Key.from_private_key_file(login["key"])
    key.load_certificate(f"{login['key']}-cert.pub")
    client = paramiko.SSHClient()
    client.load_host_keys(login["known_hosts"])
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    client.connect(login["host"], login["port"], login["user"], pkey=key, allow_agent=False, look_for_keys=False)
    return client


def run(login):
    with connect(login) as client:
        stdin, stdout, stderr = client.exec_command("cat; echo err >&2; exit 7")
        stdin.write("in\n")
        stdin.channel.shutdown_write()
        return {"stdout": stdout.read().decode(), "stderr": stderr.read().decode(), "status": stdout.channel.recv_exit_status()}


def files(login, directory):
    with connect(login) as client, client.open_sftp() as sftp:
        sftp.put(f"{directory}/up", f"{directory}/far")
        sftp.get(f"{directory}/far", f"{directory}/down")
        return {"size": sftp.stat(f"{directory}/far").st_size}


def terminal(login):
    with connect(login) as client:
        channel = client.invoke_shell("xterm", width=100, height=40)
        channel.sendall("stty size; exit 3\n")
        shown = b"".join(iter(lambda: channel.recv(4096), b""))
        return {"shown": shown.decode(), "status": channel.recv_exit_status()}


def main(login, deed, *arguments):
    deeds = {"run": run, "files": files, "terminal": terminal}
    try:
        print(json.dumps(deeds[deed](login, *arguments)))
    except paramiko.SSHException as error:
        print(json.dumps({"refused": str(error)}))


main(json.loads(sys.argv[1]), *sys.argv[2:])
