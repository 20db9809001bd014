// What the page of a ceremony runs: it asks the authenticator what the CA asks, and sends back what it answers. It knows no other site, and keeps nothing.
"use strict";

(() => {
    const form = document.getElementById("ceremony");
    const go = document.getElementById("go");
    const trouble = document.getElementById("trouble");

    const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
    const text = (buffer) =>
        btoa(Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("")).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
    const named = (list) => (list ?? []).map((entry) => ({ ...entry, id: bytes(entry.id) }));

    const asked = () => {
        const options = JSON.parse(form.dataset.options);
        options.challenge = bytes(options.challenge);
        if (options.user) {
            options.user.id = bytes(options.user.id);
        }
        if (options.excludeCredentials) {
            options.excludeCredentials = named(options.excludeCredentials);
        }
        if (options.allowCredentials) {
            options.allowCredentials = named(options.allowCredentials);
        }
        return options;
    };

    const answered = ({ id, rawId, type, response }) => {
        const said = { clientDataJSON: text(response.clientDataJSON) };
        if (response.attestationObject) {
            said.attestationObject = text(response.attestationObject);
        } else {
            said.authenticatorData = text(response.authenticatorData);
            said.signature = text(response.signature);
        }
        return JSON.stringify({ id, rawId: text(rawId), type, response: said });
    };

    const tell = (what) => {
        trouble.textContent = what;
        trouble.hidden = false;
        go.disabled = false;
    };

    go.addEventListener("click", async () => {
        trouble.hidden = true;
        go.disabled = true;
        if (!navigator.credentials || !window.PublicKeyCredential) {
            tell("This browser knows no passkeys, or does not trust this page's certificate.");
            return;
        }
        try {
            const publicKey = asked();
            const credential = await (form.dataset.action === "create" ? navigator.credentials.create({ publicKey }) : navigator.credentials.get({ publicKey }));
            form.elements.answer.value = answered(credential);
            form.submit();
        } catch (error) {
            tell(
                error.name === "InvalidStateError"
                    ? "This authenticator is enrolled already: use another one."
                    : `The authenticator gave no answer (${error.name}): try again, or say no.`,
            );
        }
    });
})();
