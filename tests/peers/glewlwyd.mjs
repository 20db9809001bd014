// Glewlwyd (Debian's package), an OpenID Connect provider written in C, for one client, told where people are sent back to once that is known.
//
//   node glewlwyd.mjs PLACE     keeps its files in the empty directory PLACE; prints its issuer; reads {"callback": …, "alg": "ES256"} from the standard
//                               input, one line; then serves until that ends
import { execFileSync, spawn } from "node:child_process";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { generateKeyPairSync } from "node:crypto";
import { copyFileSync, cpSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { join } from "node:path";

const unpacked = process.env.DAYFLY_GLEWLWYD;
const place = process.argv[2];
const within = (name) => join(place, name);

const port = await new Promise((done) => {
    const taken = createServer().listen(0, "127.0.0.1", () => {
        const { port } = taken.address();
        taken.close(() => done(port));
    });
});
const origin = `http://127.0.0.1:${port}`;
const issuer = `${origin}/api/oidc`;

// Its pages need files that Debian keeps elsewhere, and no link leads out of their directory.
const pages = join(unpacked, "usr/share/glewlwyd/webapp");
cpSync(pages, within("pages"), { recursive: true, filter: (path) => !lstatSync(path).isSymbolicLink() });
copyFileSync(join(unpacked, "usr/share/glewlwyd/templates/config.json"), join(within("pages"), "config.json"));
copyFileSync(join(unpacked, "usr/share/javascript/jquery/jquery.min.js"), join(within("pages"), "js/jquery.min.js"));
mkdirSync(within("none"));
const schema = gunzipSync(readFileSync(join(unpacked, "usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz")));
execFileSync("sqlite3", [within("database")], { input: schema });
const modules = (kind) => join(unpacked, "usr/lib/glewlwyd", kind);
const types = { html: "text/html", js: "application/javascript", css: "text/css", json: "application/json" };
const mime = Object.entries(types).map(([extension, type]) => `{ extension = ".${extension}" mime_type = "${type}" compress = 0 }`);
writeFileSync(within("configuration"), `
port = ${port}
bind_address = "127.0.0.1"
external_url = "${origin}"
login_url = "login.html"
api_prefix = "api"
static_files_path = "${within("pages")}"
static_files_mime_types = (${mime})
log_mode = "file"
log_level = "INFO"
log_file = "${within("log")}"
cookie_domain = "127.0.0.1"
cookie_secure = 0
session_expiration = 3600
session_key = "GLEWLWYD2_SESSION_ID"
admin_scope = "g_admin"
profile_scope = "g_profile"
user_module_path = "${modules("user")}"
user_middleware_module_path = "${within("none")}"
client_module_path = "${modules("client")}"
user_auth_scheme_module_path = "${modules("scheme")}"
plugin_module_path = "${modules("plugin")}"
hash_algorithm = "SHA512"
database = { type = "sqlite3" path = "${within("database")}" }
`);
// It ends with this program, however that ends.
const server = spawn("setpriv", ["--pdeathsig", "KILL", join(unpacked, "usr/bin/glewlwyd"), `--config-file=${within("configuration")}`], { stdio: "ignore" });
server.once("exit", () => process.exit(1));
while (!(await fetch(`${origin}/config`).catch(() => undefined))) {
    await new Promise((done) => setTimeout(done, 20));
}
console.log(issuer);

let cookie = "";
async function ask(method, path, body) {
    const response = await fetch(`${origin}/api${path}`, { method, headers: { "content-type": "application/json", cookie }, body: body && JSON.stringify(body) });
    cookie = response.headers.get("set-cookie")?.split(";")[0] ?? cookie;
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text;
}

async function set_up({ callback, alg }) {
    const kinds = { ES256: ["ec", { namedCurve: "P-256" }], RS256: ["rsa", { modulusLength: 2048 }], EdDSA: ["ed25519", {}] };
    const key = { ...generateKeyPairSync(...kinds[alg]).privateKey.export({ format: "jwk" }), alg, use: "sig", kid: alg };
    await ask("POST", "/auth/", { username: "admin", password: "password" });
    // People have groups.
    const people = JSON.parse(await ask("GET", "/mod/user/database"));
    people.parameters["data-format"].groups = { multiple: true, read: true, write: true, "profile-read": true, "profile-write": false };
    await ask("PUT", "/mod/user/database", people);
    await ask("PUT", "/mod/user/database/reset");
    for (const name of ["profile", "email", "groups"]) {
        await ask("POST", "/scope/", { name, display_name: name, description: name, password_required: false, scheme: {} });
    }
    const parameters = {
        iss: issuer, "jwks-private": JSON.stringify({ keys: [key] }), "jwks-show": true, "subject-type": "public",
        "access-token-duration": 600, "refresh-token-duration": 600, "code-duration": 60,
        "auth-type-code-enabled": true, "auth-type-code-revoke-replayed": true, "pkce-allowed": true, "pkce-required": true, "oauth-as-iss-id": true,
        "session-management-allowed": true, "session-cookie-name": "GLEWLWYD2_OIDC_SID", "session-cookie-expiration": 600,
        "name-claim": "mandatory", "email-claim": "mandatory",
        claims: [{ name: "groups", "user-property": "groups", type: "string", mandatory: true }],
    };
    await ask("POST", "/mod/plugin/", { module: "oidc", name: "oidc", display_name: "oidc", parameters });
    await ask("POST", "/client/", {
        client_id: "dayfly", name: "Dayfly", enabled: true, confidential: true, password: "correct horse battery staple", scope: [],
        redirect_uri: [callback], authorization_type: ["code"], token_endpoint_auth_method: ["client_secret_basic", "client_secret_post"],
    });
    const scope = ["openid", "profile", "email", "groups"];
    await ask("POST", "/user/", { username: "dora", name: "Dora", password: "anything", email: "dora@example.org", enabled: true, scope, groups: ["dba", "people"] });
    console.log("ready");
}

const lines = createInterface({ input: process.stdin });
lines.once("line", (line) => set_up(JSON.parse(line)).catch((error) => {
    console.error(String(error));
    process.exit(1);
}));
lines.once("close", () => process.exit(0));
