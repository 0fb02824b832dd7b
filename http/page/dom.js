/**
 * Elements made of text. Nothing that a file, a server or a person said is ever read as HTML.
 */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element. `on` holds listeners, `data` what goes into its dataset, everything else attributes;
 * those that are null or false are left out. Children are nodes or text.
 *
 * @param {string} tag
 * @param {Record<string, any>} [props]
 * @param {...(Node|string|null|false)} children
 * @returns {HTMLElement}
 */
export function el(tag, { on = {}, data = {}, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) attribute(element, name, value);
  for (const [name, listener] of Object.entries(on)) element.addEventListener(name, listener);
  Object.assign(element.dataset, data);
  element.append(...children.filter((child) => child !== null && child !== false));
  return element;
}

/** Give an element an attribute, or take it away: null and false are none, true is an empty one. */
export function attribute(element, name, value) {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : String(value));
}

/** One of the pictures that index.html holds; it says nothing, so what it is in needs a label. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** An SVG element. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** A button that is a picture with a name. */
export function iconButton(name, label, click, props = {}) {
  return el(
    "button",
    { type: "button", class: "plain", "aria-label": label, title: label, on: { click }, ...props },
    icon(name),
  );
}

/** The one element with this id. */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element;
}

/** Whether somebody is writing there, so that letters and arrows mean text. */
export function takesText(target) {
  return target instanceof Element && target.closest("input, textarea, select, dialog") !== null;
}

/** How things may move: people may ask their system for less of it. */
export function motion() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth";
}

/** Make buttons of an element anew; if one of them had the focus, the one in its place has it. */
export function renew(element, make) {
  const buttons = () => [...element.querySelectorAll("button")];
  const focused = document.activeElement;
  const place = buttons().findIndex((button) => button === focused);
  make();
  if (!focused?.isConnected) buttons()[place]?.focus();
}
