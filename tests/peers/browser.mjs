// A person with Chromium (npm playwright-core): opens a page of the CA's, signs in at the provider as who they are told, and prints what the last page says.
//
//   node browser.mjs PAGE LOGIN [CODE]     prints {"url": …, "text": …, "asked": …} as JSON
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(process.env.DAYFLY_NODE_MODULES + "/"));
const { chromium } = require("playwright-core");
const [page_url, login, code] = process.argv.slice(2);

const browser = await chromium.launch({ executablePath: process.env.DAYFLY_CHROMIUM, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
try {
    // The CA's certificate is pinned by tools; browsers would be told to trust it.
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    const complaints = [];
    page.on("console", (message) => /Content Security Policy|Refused to/.test(message.text()) && complaints.push(message.text()));
    page.setDefaultTimeout(30000);
    await page.goto(page_url);
    let asked = "";
    if (code) {
        await page.fill("input[name=code]", code);
        await page.click("button[type=submit]");
        asked = await page.textContent("main");
        await page.click("button[name=provider]");
    }
    await page.waitForSelector("input[name=password]");
    await ((await page.locator("input[name=username]").count()) > 0 ? at_glewlwyd(page) : at_oidc_provider(page));
    await page.waitForURL((url) => url.pathname === "/sign-in" || url.pathname === "/oidc/callback");
    await page.waitForLoadState();
    console.log(JSON.stringify({ url: page.url().split("?")[0], text: await page.textContent("body"), asked, complaints }));
} finally {
    await browser.close();
}

async function at_oidc_provider(page) {
    await page.fill("input[name=login]", login);
    await page.fill("input[name=password]", "anything");
    await page.click("button[type=submit]");
    // It asks for consent, once.
    await page.waitForSelector("text=/Authorize|Continue|signed in|Signed in|Not signed in/");
    const consent = page.locator("button[type=submit]");
    if (page.url().includes("/interaction/") && (await consent.count()) > 0) {
        await consent.first().click();
    }
}

async function at_glewlwyd(page) {
    await page.fill("input[name=username]", login);
    await page.fill("input[name=password]", "anything");
    await page.click("button[type=submit]");
    await page.waitForSelector("text=Grant access");
    for (const scope of ["profile", "email", "groups"]) {
        await page.check(`#grant-${scope}`);
    }
    await page.click("button:text('Grant access')");
    await page.click("button:text('Continue'):enabled");
}
