// A run's page while it goes on: what changed is put in its place. Without a script the page has a link to itself.
// The server sends parts of this page, made of the same templates, which escape whatever others wrote.
"use strict";

const page = document.querySelector("[data-stream]");
const stream = new EventSource(page.dataset.stream);
const said = document.querySelector("[data-said]");

stream.addEventListener("message", (event) => {
  for (const [name, text] of Object.entries(JSON.parse(event.data))) {
    const part = document.querySelector(`[data-part="${name}"]`);
    if (part && !part.contains(document.activeElement)) part.innerHTML = text; // nobody loses their place in a table
  }
  said.textContent = "This page follows the run.";
});
stream.addEventListener("over", () => {
  stream.close();
  location.reload();
});
stream.addEventListener("error", () => {
  const gone = stream.readyState === EventSource.CLOSED;
  said.textContent = gone ? "This page follows the run no more: load it again." : "The server cannot be reached just now.";
});
