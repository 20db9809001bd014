"""What asyncssh does through the bastion, printed as JSON: with_asyncssh.py LOGIN DEED [ARGUMENT]."""

import asyncio
import json
import sys

import asyncssh


def options(login):
    """Host verification by known_hosts alone, authentication by the certificate alone."""
    key = login["key"]
    return {
        "username": login["user"],
        "client_keys": [(key, f"{key}-cert.pub")],
        "known_hosts": login["known_hosts"],
        "agent_path": None,
        "config": None,
    }


def connect(login):
    return asyncssh.connect(login["host"], login["port"], **options(login))


async def command(connection):
    ended = await connection.run("cat; echo err >&2; exit 7", input="in\n")
    return {"stdout": ended.stdout, "stderr": ended.stderr, "status": ended.exit_status}


async def run(login):
    async with connect(login) as connection:
        return await command(connection)


async def jump(login, target):
    async with connect(login) as bastion:
        async with bastion.connect_ssh(target, **options(login)) as connection:
            return await command(connection)


async def files(login, directory):
    async with connect(login) as connection, connection.start_sftp_client() as sftp:
        await sftp.put(f"{directory}/up", f"{directory}/far")
        await sftp.get(f"{directory}/far", f"{directory}/down")
        return {"size": (await sftp.stat(f"{directory}/far")).size}


async def terminal(login):
    async with connect(login) as connection:
        process = await connection.create_process("stty size; cat; exit 3", term_type="xterm", term_size=(100, 40))
        shown = await process.stdout.readuntil("40 100\r\n")
        process.stdin.write("typed\n")
        # Once by the terminal, as it is typed; once by the program.
        shown += await process.stdout.readuntil("typed\r\ntyped\r\n")
        process.stdin.write("\x04")
        await process.wait()
        return {"shown": shown, "status": process.exit_status}


async def main(login, deed, *arguments):
    deeds = {"run": run, "jump": jump, "files": files, "terminal": terminal}
    try:
        print(json.dumps(await deeds[deed](login, *arguments)))
    except asyncssh.HostKeyNotVerifiable as error:
        print(json.dumps({"unverifiable": str(error)}))


asyncio.run(main(json.loads(sys.argv[1]), *sys.argv[2:]))
