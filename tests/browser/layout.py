"""What is wrong with the layout of an opened page, by the boxes that the browser drew."""

from __future__ import annotations

from playwright.sync_api import Page

_FAULTS = """() => {
  const faults = [], shown = [];
  const name = (element) => {
    const text = element.textContent.trim().replace(/\\s+/g, " ").slice(0, 40);
    return `${element.localName}${element.className ? "." + element.className : ""} "${text}"`;
  };
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth)
    faults.push(`the page is ${root.scrollWidth} wide in a window of ${root.clientWidth}`);
  const scrolls = (element) => ["auto", "scroll"].includes(getComputedStyle(element).overflowX);
  const holder = (element) => {
    for (let one = element; one; one = one.parentElement) if (scrolls(one)) return one;
    return null;
  };
  const meant = (element) => element.closest(".skip:not(:focus), option, [hidden]");
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, element = node.parentElement;
    if (!node.data.trim() || meant(element) || ["script", "style"].includes(element.localName))
      continue;
    if (!element.checkVisibility({contentVisibilityAuto: true})) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    // A text of several lines has a box a line.
    for (const box of range.getClientRects())
      if (box.width > 0.5) shown.push({element, box});
    if (!range.getClientRects().length) faults.push(`${name(element)} has no box`);
    for (let around = element; around !== document.body; around = around.parentElement) {
      const style = getComputedStyle(around);
      if (style.display.startsWith("inline") || style.display === "contents") continue;
      const its = around.getBoundingClientRect(), text = range.getBoundingClientRect();
      if (scrolls(around)) break;
      if (text.left < its.left - 1 || text.right > its.right + 1 ||
          text.top < its.top - 2 || text.bottom > its.bottom + 2)
        faults.push(`the text of ${name(element)} leaves its ${name(around)}`);
    }
  }
  for (const element of document.querySelectorAll(
      "meter, input, svg, .pod, .card, .model, .fold, table, summary, article, canvas")) {
    if (!element.checkVisibility({contentVisibilityAuto: true}) || meant(element)) continue;
    const box = element.getBoundingClientRect();
    if (box.width < 1 || box.height < 1) faults.push(`${name(element)} has no size`);
    if (element.matches("meter, input, .pod")) shown.push({element, box});
  }
  // Boxes by their top, so that each is compared with the few that it can meet.
  shown.sort((one, other) => one.box.top - other.box.top);
  for (let index = 0; index < shown.length; index++) {
    const one = shown[index];
    for (let next = index + 1; next < shown.length; next++) {
      const other = shown[next];
      if (other.box.top >= one.box.bottom - 2) break;
      if (one.element === other.element) continue;
      // What is in a box that scrolls is cut there, and overlaps nothing outside of it.
      if (holder(one.element) !== holder(other.element)) continue;
      const wide = Math.min(one.box.right, other.box.right) -
        Math.max(one.box.left, other.box.left);
      const high = Math.min(one.box.bottom, other.box.bottom) - other.box.top;
      if (wide > 1 && high > 2)
        faults.push(`${name(one.element)} overlaps ${name(other.element)}`);
    }
  }
  return {faults, texts: shown.length};
}"""


def faults(page: Page) -> list[str]:
    """Texts outside their boxes, boxes without a size, and boxes that overlap; a line each."""
    found = page.evaluate(_FAULTS)
    if not found["texts"]:
        return ["nothing is shown"]
    return list(dict.fromkeys(found["faults"]))
