/* Browsers start no worker from a page that was opened as a file, and without one there is no search. For such pages a
   hidden frame takes its place: it runs the same script, and what one side posts, the other is handed. */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(script) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      const inside = frame.contentDocument;
      inside.open(); // or Firefox puts another empty page here later
      inside.write("<!doctype html><title>Search</title><body></body>");
      inside.close();
      this.inner = frame.contentWindow;
      this.inner.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      this.ready = new Promise((loaded, failed) => {
        const element = inside.createElement("script");
        element.src = script;
        element.onload = loaded;
        element.onerror = failed;
        inside.body.append(element);
      });
    }

    postMessage(data) {
      this.ready.then(() => this.inner.dispatchEvent(new MessageEvent("message", { data })));
    }
  };
}
