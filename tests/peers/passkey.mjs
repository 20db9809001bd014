// A person with Chromium and a passkey (npm playwright-core; the browser's own virtual authenticator): opens a page of the CA's, does what it asks for, and
// prints what the last page says. The passkeys are kept in a file.
//
//   node passkey.mjs FILE PIN PAGE [CODE]     prints {"url": …, "text": …, "asked": …} as JSON
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(process.env.DAYFLY_NODE_MODULES + "/"));
const { chromium } = require("playwright-core");
const [kept, pin, page_url, code] = process.argv.slice(2);

// To a page whose certificate is not trusted a browser takes no passkey: this one key is.
const args = ["--no-sandbox", "--disable-dev-shm-usage", `--ignore-certificate-errors-spki-list=${pin}`];
const browser = await chromium.launch({ executablePath: process.env.DAYFLY_CHROMIUM, args });
try {
    const page = await (await browser.newContext()).newPage();
    const complaints = [];
    page.on("console", (message) => /Content Security Policy|Refused to/.test(message.text()) && complaints.push(message.text()));
    page.setDefaultTimeout(30000);
    const session = await page.context().newCDPSession(page);
    await session.send("WebAuthn.enable");
    const options = { protocol: "ctap2", transport: "usb", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true };
    const { authenticatorId } = await session.send("WebAuthn.addVirtualAuthenticator", { options });
    for (const credential of existsSync(kept) ? JSON.parse(readFileSync(kept)) : []) {
        await session.send("WebAuthn.addCredential", { authenticatorId, credential });
    }
    await page.goto(page_url);
    if (code) {
        await page.fill("input[name=code]", code);
        await page.click("button[type=submit]");
    }
    const asked = await page.textContent("main");
    await page.click("#go");
    // To the tool's own page, or to one of the CA's that tells how it went.
    await page.waitForFunction(() => !document.querySelector("#ceremony, #onward") || document.querySelector("#trouble:not([hidden])"));
    await page.waitForLoadState();
    const { credentials } = await session.send("WebAuthn.getCredentials", { authenticatorId });
    writeFileSync(kept, JSON.stringify(credentials), { mode: 0o600 });
    console.log(JSON.stringify({ url: page.url().split("?")[0], text: await page.textContent("body"), asked, complaints }));
} finally {
    await browser.close();
}
