// An ssh-agent with one security key in software, sk-ssh-ed25519@openssh.com (OpenSSH PROTOCOL.agent, PROTOCOL.u2f): whatever it is asked to sign was touched.
//
//   node security-key.mjs SOCKET FILE     writes the public key to FILE, and "ready" to the standard output
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";

const [socket, file] = process.argv.slice(2);
const ALGORITHM = "sk-ssh-ed25519@openssh.com";
const APPLICATION = "ssh:";
const [LIST, KEYS, SIGN, SIGNED, FAILURE] = [11, 12, 13, 14, 5];
const TOUCHED = 1;

const { publicKey, privateKey } = generateKeyPairSync("ed25519");
const uint32 = (number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(number);
    return bytes;
};
const string = (bytes) => Buffer.concat([uint32(Buffer.byteLength(bytes)), Buffer.from(bytes)]);
const sha256 = (bytes) => createHash("sha256").update(bytes).digest();

const key = Buffer.concat([string(ALGORITHM), string(publicKey.export({ type: "spki", format: "der" }).subarray(-32)), string(APPLICATION)]);
let counter = 0;

const signature = (message) => {
    counter += 1;
    const trailer = Buffer.concat([Buffer.from([TOUCHED]), uint32(counter)]);
    const signed = sign(null, Buffer.concat([sha256(APPLICATION), trailer, sha256(message)]), privateKey);
    return Buffer.concat([string(ALGORITHM), string(signed), trailer]);
};

const answer = (request) => {
    if (request[0] === LIST) {
        return Buffer.concat([Buffer.from([KEYS]), uint32(1), string(key), string("a security key")]);
    }
    if (request[0] === SIGN) {
        const asked = request.readUInt32BE(1);
        const message = request.subarray(9 + asked, 9 + asked + request.readUInt32BE(5 + asked));
        if (request.subarray(5, 5 + asked).equals(key)) {
            return Buffer.concat([Buffer.from([SIGNED]), string(signature(message))]);
        }
    }
    return Buffer.from([FAILURE]);
};

const server = createServer((connection) => {
    let received = Buffer.alloc(0);
    connection.on("data", (bytes) => {
        received = Buffer.concat([received, bytes]);
        while (received.length >= 4 && received.length >= 4 + received.readUInt32BE(0)) {
            const length = received.readUInt32BE(0);
            connection.write(string(answer(received.subarray(4, 4 + length))));
            received = received.subarray(4 + length);
        }
    });
    connection.on("error", () => {});
});
server.listen(socket, () => {
    writeFileSync(file, `${ALGORITHM} ${key.toString("base64")}\n`);
    console.log("ready");
});
