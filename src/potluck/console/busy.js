// A form, or one button of it, whose answer takes a while (data-busy says what happens meanwhile): its buttons are off,
// and a line counts the seconds. Without a script the browser alone shows that it waits.
"use strict";

for (const form of document.querySelectorAll("form[data-busy], form:has(button[data-busy])")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    const busy = event.submitter?.dataset.busy || form.dataset.busy;
    if (!busy) return;
    form.dataset.sent = "yes";
    const line = document.createElement("p");
    const count = document.createElement("span");
    line.className = "stamp done";
    line.setAttribute("role", "status");
    line.append(`${busy} `, count);
    form.append(line);
    count.setAttribute("aria-hidden", "true"); // a second is no news to who listens
    const begun = Date.now();
    const tell = () => { count.textContent = `So far ${Math.round((Date.now() - begun) / 1000)} s.`; };
    tell();
    const timer = setInterval(tell, 1000);
    for (const button of form.querySelectorAll("button")) button.setAttribute("aria-disabled", "true");
    addEventListener("pageshow", (shown) => { // the way back finds the form as it was
      if (!shown.persisted) return;
      clearInterval(timer);
      line.remove();
      delete form.dataset.sent;
      for (const button of form.querySelectorAll("button")) button.removeAttribute("aria-disabled");
    });
  });
}
