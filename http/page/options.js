/** How files are to be transcribed: the form's choices, remembered from one visit to the next. */

import { byId, el } from "./dom.js";
import { size } from "./figures.js";
import { recall, remember } from "./memory.js";

// Whisper's languages; the browser knows what they are called.
export const LANGUAGES = (
  "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th " +
  "ur hr bg lt la mi ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr " +
  "pa si km sn yo so af oc ka be tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt " +
  "haw ln ha ba jw su yue"
).split(" ");

const SPEAKERS_MAX = 20;
const NAMES = ["model", "language", "task", "speakers", "prompt"];
const LEAVE = "leave";

export class Options {
  #form = /** @type {HTMLFormElement} */ (byId("options"));
  #model = ""; // which is wanted, also while the server does not offer it
  #offered = false; // any models yet

  constructor() {
    const { language, speakers } = this.#form.elements;
    language.append(...languages());
    speakers.append(
      option("some", "Find out how many"),
      ...Array.from({ length: SPEAKERS_MAX }, (_, i) => option(`${i + 1}`, people(i + 1))),
    );
    const before = recall("options", {});
    for (const name of NAMES) this.#set(name, before[name]);
    this.#form.elements[LEAVE].checked = before[LEAVE] !== "";
    this.#model = before.model ?? "";
    this.#form.addEventListener("input", (event) => this.#changed(event.target));
    this.#form.addEventListener("submit", (event) => event.preventDefault());
  }

  /** What is chosen now. @returns {Record<string, string>} */
  read() {
    const fields = this.#form.elements;
    const chosen = Object.fromEntries(NAMES.map((name) => [name, fields[name].value.trim()]));
    if (!this.#offered) chosen.model = this.#model; // it cannot be chosen yet, and was
    return { ...chosen, [LEAVE]: fields[LEAVE].checked ? "yes" : "" };
  }

  /** Offer that the server goes on alone, if it has jobs. */
  jobs(available) {
    byId("leave").hidden = !available;
  }

  /** Offer the server's models. */
  models(cards) {
    this.#offered = true;
    const select = this.#form.elements.model;
    const best = cards.find((card) => card.default);
    const real = nearestFirst(cards.filter((card) => !isAlias(card)));
    select.replaceChildren(option("", best ? `Default: ${best.id}` : "Default"));
    select.append(...real.map((card) => option(card.id, described(card))));
    this.#set("model", this.#model);
  }

  #changed(field) {
    if (field.name === "model") this.#model = field.value;
    remember("options", { ...this.read(), model: this.#model });
  }

  /** Choose a value, if it is one of those that there are. */
  #set(name, value) {
    const field = this.#form.elements[name];
    if (value === undefined || value === null) return;
    if (field.tagName !== "SELECT" || [...field.options].some((o) => o.value === value)) {
      field.value = value;
    }
  }
}

/** Those in memory, then those on the disk, then what would have to be fetched. */
export function nearestFirst(cards) {
  const distance = ({ loaded, size_bytes: bytes }) => (loaded ? 0 : bytes ? 1 : 2);
  return cards.toSorted((a, b) => distance(a) - distance(b));
}

/** Names of OpenAI's, which only stand for another model. */
export function isAlias(card) {
  return /^(whisper-1$|gpt-)/.test(card.id);
}

function described({ id, size_bytes: bytes, loaded }) {
  const more = [bytes ? size(bytes) : "to be fetched", loaded ? "loaded" : ""];
  const said = more.filter(Boolean).join(", ");
  return said ? `${id} (${said})` : id;
}

/** What a language is called; nothing if there is none. */
export function languageName(code) {
  if (!code) return "";
  const names = new Intl.DisplayNames(["en"], { type: "language" });
  return names.of(code === "jw" ? "jv" : code) ?? code;
}

function languages() {
  return LANGUAGES.map((code) => [code, languageName(code)])
    .sort(([, a], [, b]) => a.localeCompare(b))
    .map(([code, name]) => option(code, name));
}

function people(number) {
  return number === 1 ? "1 person" : `${number} people`;
}

function option(value, text) {
  return el("option", { value }, text);
}
