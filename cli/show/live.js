const stated = document.getElementById("live");
const say = (text) => { if (stated.textContent !== text) stated.textContent = text; };
const folded = () => [...document.querySelectorAll("details")];
const named = (one) => one.dataset.name ?? one.dataset.fold;
const openOnes = () => new Map(folded().map((one) => [named(one), one.open]));
const source = new EventSource(`events?since=${document.documentElement.dataset.number}`);
source.addEventListener("parts", (event) => {
  const before = openOnes();
  for (const [name, html] of Object.entries(JSON.parse(event.data))) {
    const part = document.querySelector(`[data-part="${CSS.escape(name)}"]`);
    if (part) part.innerHTML = html;
  }
  for (const one of folded()) one.open = before.get(named(one)) ?? one.open;
  applyFilter();
  say("live");
});
source.addEventListener("trouble", (event) => say(`not live: ${JSON.parse(event.data)}`));
source.addEventListener("error", () => say("not live: the server has ended or is not reachable"));
source.addEventListener("open", () => say("live"));
