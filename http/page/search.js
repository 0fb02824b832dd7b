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

  /** Look for what is written now, and go to the first. */
  again() {
    this.#look();
    this.#at = -1;
    this.#show();
    this.#go(1);
  }

  /** Look again as the text has changed, and stay: where that passage is, if it is only one. */
  update(passage = null) {
    this.#look();
    if (passage !== null) this.#at = this.#nearest(passage);
    else if (this.#at >= this.#found.length) this.#at = -1;
    this.#show();
  }

  #look() {
    const wanted = this.#wanted;
    const all = wanted ? this.#lines.passages : [];
    this.#found = all.flatMap((element, passage) =>
      ranges(element, wanted).map((range) => ({ passage, range })),
    );
    mark("found", this.#found.slice(0, MARKS_MAX).map(({ range }) => range));
  }

  /** What is found in a passage; else the place between what is before it and what is behind. */
  #nearest(passage) {
    const next = this.#found.findIndex((found) => found.passage >= passage);
    if (next < 0) return this.#found.length - 0.5;
    return this.#found[next].passage === passage ? next : next - 0.5;
  }

  #show() {
    const many = this.#found.length;
    const now = this.#found[this.#at];
    this.#steps.hidden = !many;
    mark("found-now", now ? [now.range] : []);
    const found = many ? `${many} found` : "Nothing found";
    const said = now ? `${this.#at + 1} of ${many}` : found;
    this.#count.textContent = this.#wanted ? said : "";
  }

  #go(step) {
    const many = this.#found.length;
    if (!many) return;
    const from = step > 0 ? Math.floor(this.#at) : Math.ceil(this.#at);
    this.#at = (from + step + many) % many;
    this.#show();
    const passage = this.#found[this.#at].range.startContainer.parentElement;
    passage.scrollIntoView({ block: "center", behavior: motion() });
  }

  get #wanted() {
    return /** @type {HTMLInputElement} */ (this.#field).value.trim();
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
