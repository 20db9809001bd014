// A certified OpenID Connect provider (npm oidc-provider) for one client, told where people are sent back to once that is known.
//
//   node provider.mjs     prints its issuer; reads {"callback": …, "alg": "ES256"} from the standard input, one line; then serves until that ends
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { generateKeyPairSync } from "node:crypto";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(process.env.DAYFLY_NODE_MODULES + "/"));
const { default: Provider } = await import(pathToFileURL(require.resolve("oidc-provider")));

let answer = (_, response) => response.writeHead(503).end();
const server = createServer((request, response) => answer(request, response));
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const issuer = `http://127.0.0.1:${server.address().port}`;
console.log(issuer);

const lines = createInterface({ input: process.stdin });
lines.once("line", (line) => {
    const { callback, alg } = JSON.parse(line);
    const kinds = { ES256: ["ec", { namedCurve: "P-256" }], RS256: ["rsa", { modulusLength: 2048 }], EdDSA: ["ed25519", {}] };
    // It wants a key for RS256 in any case.
    const keys = ["RS256", ...(alg === "RS256" ? [] : [alg])].map((name) => ({
        ...generateKeyPairSync(...kinds[name]).privateKey.export({ format: "jwk" }), alg: name, use: "sig", kid: name,
    }));
    const provider = new Provider(issuer, {
        clients: [{
            client_id: "dayfly", client_secret: "correct horse battery staple", redirect_uris: [callback],
            id_token_signed_response_alg: alg,
        }],
        enabledJWA: { idTokenSigningAlgValues: ["RS256", "ES256", "EdDSA"] },
        jwks: { keys },
        pkce: { required: () => true },
        scopes: ["openid", "profile", "email", "groups"],
        claims: { openid: ["sub"], profile: ["preferred_username"], email: ["email", "email_verified"], groups: ["groups"] },
        features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true } },
        // Whoever logs in is whom they say, and in the group that follows a dash.
        findAccount: (_, id) => ({
            accountId: id,
            claims: () => ({
                sub: id, preferred_username: id, email: `${id}@example.org`, email_verified: true, groups: id.includes("-") ? [id.split("-")[1]] : [],
            }),
        }),
        cookies: { keys: ["a", "b"] },
        ttl: { Session: 600, Interaction: 600, Grant: 600, IdToken: 600, AccessToken: 600, AuthorizationCode: 60 },
    });
    answer = provider.callback();
    console.log("ready");
});
lines.once("close", () => process.exit(0));
