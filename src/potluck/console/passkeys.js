// Passkeys need a script: the browser's own interface has no form. Without it passwords work.
// A form that carries data-options is shown, and sends what the authenticator answered.
"use strict";

const bytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

const answer = async (options, make) => {
  options.challenge = bytes(options.challenge);
  if (make) options.user.id = bytes(options.user.id);
  for (const one of [...(options.excludeCredentials || []), ...(options.allowCredentials || [])]) one.id = bytes(one.id);
  const made = await navigator.credentials[make ? "create" : "get"]({ publicKey: options });
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (made.response[name]) response[name] = text(made.response[name]);
  }
  return JSON.stringify({ id: made.id, rawId: text(made.rawId), type: made.type, response, clientExtensionResults: {} });
};

for (const form of document.querySelectorAll("form[data-options]")) {
  if (!window.PublicKeyCredential) continue;
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    if (form.elements.credential.value) return;
    event.preventDefault();
    const said = form.querySelector("[role=status]");
    said.textContent = "Your browser asks you now.";
    try {
      form.elements.credential.value = await answer(JSON.parse(form.dataset.options), form.dataset.make === "yes");
      form.submit();
    } catch (error) {
      said.textContent = `It did not work (${error.name}). Load this page again to try once more.`;
    }
  });
}
