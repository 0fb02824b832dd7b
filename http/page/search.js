/** Search in the transcript: everything that fits is marked, and one after the other is gone to. */

import { el, icon, iconButton, motion } from "./dom.js";

// Marks that are drawn; the count goes on.
const MARKS_MAX = 2000;

export class Search {
  #lines;
  #found = [];
  #at = -1;
  #field = el("input", {
    ...{ type: "search", placeholder: "Search", "aria-label": "Search in the transcript" },
    ...{ dir: "auto", autocomplete: "off", spellcheck: "false", enterkeyhint: "search" },
    on: { input: () => this.again(), keydown: (event) => this.#key(event) },
  });
  #count = el("output", { class: "quiet figures", "aria-live": "polite" });
  #steps = el(
    "span",
    { hidden: true },
    iconButton("up", "Previous", () => this.#go(-1)),
    iconButton("down", "Next", () => this.#go(1)),
  );

  /** @param {import("./lines.js").Lines} lines */
  constructor(lines) {
    this.#lines = lines;
    const props = { class: "search", role: "search" };
    this.element = el("div", props, icon("find"), this.#field, this.#count, this.#steps);
  }

  /** Forget what was looked for. */
  clear() {
    /** @type {HTMLInputElement} */ (this.#field).value = "";
    this.again();
  }

  focus() {
    this.#field.focus();
  }

  /** Look again: for something else, or because the text has changed. */
  again() {
    const wanted = /** @type {HTMLInputElement} */ (this.#field).value.trim();
    this.#found = wanted ? this.#lines.passages.flatMap((p) => ranges(p, wanted)) : [];
    this.#at = -1;
    this.#steps.hidden = !this.#found.length;
    mark("found", this.#found.slice(0, MARKS_MAX));
    if (wanted && this.#found.length) this.#go(1);
    else {
      mark("found-now", []);
      this.#count.textContent = wanted ? "Nothing found" : "";
    }
  }

  #go(step) {
    const many = this.#found.length;
    if (!many) return;
    this.#at = (this.#at + step + many) % many;
    const range = this.#found[this.#at];
    mark("found-now", [range]);
    this.#count.textContent = `${this.#at + 1} of ${many}`;
    const passage = range.startContainer.parentElement;
    passage.scrollIntoView({ block: "center", behavior: motion() });
  }

  #key(event) {
    if (event.key === "Enter") this.#go(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape") this.clear();
    else return;
    event.preventDefault();
  }
}

/** Where a text stands in an element, whatever elements it is cut into. */
function ranges(element, wanted) {
  const pattern = new RegExp(wanted.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "giu");
  const matches = [...element.textContent.matchAll(pattern)];
  if (!matches.length) return [];
  const nodes = [];
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  for (let at = 0; walker.nextNode(); at += walker.currentNode.data.length) {
    nodes.push({ node: walker.currentNode, at });
  }
  const place = (offset, last) =>
    nodes.findLast(({ at }) => (last ? at < offset : at <= offset)) ?? nodes[0];
  return matches.map((match) => {
    const [from, to] = [match.index, match.index + match[0].length];
    const [first, final] = [place(from, false), place(to, true)];
    const range = new Range();
    range.setStart(first.node, from - first.at);
    range.setEnd(final.node, to - final.at);
    return range;
  });
}

function mark(name, found) {
  globalThis.CSS?.highlights?.set(name, new Highlight(...found));
}
