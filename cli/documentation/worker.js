// Lets the search run from a folder: no browser lets a page of a file start a worker.
if (location.protocol === "file:") {
  // Later, and as a copy, as a worker's messages come.
  const deliver = (to, data) => {
    const event = new MessageEvent("message", { data: structuredClone(data) });
    setTimeout(() => to.onmessage?.(event));
  };
  window.Worker = class {
    constructor(url) {
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.append(this.frame);
      const { contentWindow: inside, contentDocument: page } = this.frame;
      inside.postMessage = (data) => deliver(this, data);
      this.ready = new Promise((done, failed) => {
        const script = page.createElement("script");
        script.src = url;
        script.onload = () => done(inside);
        script.onerror = failed;
        page.body.append(script);
      });
      this.ready.catch((error) => this.onerror?.(error));
    }
    postMessage(data) {
      this.ready.then((inside) => deliver(inside, data));
    }
    terminate() {
      this.frame.remove();
    }
  };
}
