// Lets the search run from a folder: no browser lets a page of a file start a worker.
if (location.protocol === "file:") {
  window.Worker = class {
    constructor(url) {
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.append(this.frame);
      const { contentWindow: inside, contentDocument: page } = this.frame;
      inside.postMessage = (data) => this.onmessage?.(new MessageEvent("message", { data }));
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
      this.ready.then((inside) => inside.onmessage?.(new MessageEvent("message", { data })));
    }
    terminate() {
      this.frame.remove();
    }
  };
}
