// A CI system's tokens: writes a key set once, and prints a token (npm jose) with the claims that it is told.
//
//   node token.mjs KEYS CLAIMS     KEYS: a file for the private key; KEYS.jwks: its public half. CLAIMS: JSON
import { createRequire } from "node:module";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(process.env.DAYFLY_NODE_MODULES + "/"));
const { SignJWT } = await import(pathToFileURL(require.resolve("jose")));

const [file, claims] = process.argv.slice(2);
if (!existsSync(file)) {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    writeFileSync(file, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    const key = { ...createPublicKey(privateKey).export({ format: "jwk" }), kid: "ci", alg: "RS256", use: "sig" };
    writeFileSync(`${file}.jwks`, JSON.stringify({ keys: [key] }));
}
const key = createPrivateKey(readFileSync(file));
console.log(await new SignJWT(JSON.parse(claims)).setProtectedHeader({ alg: "RS256", kid: "ci", typ: "JWT" }).setIssuedAt().setExpirationTime("5m").sign(key));
