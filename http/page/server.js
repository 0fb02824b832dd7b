/** The server's own page: its models, its queue, what it does and whether it is well. */

import { Chart } from "./chart.js";
import { byId, el } from "./dom.js";
import { count, size } from "./figures.js";
import { isAlias, nearestFirst } from "./options.js";
import { numbers } from "./prometheus.js";

const LOOK_EVERY_MS = 2000;
const PATIENCE_MS = 10_000; // so that few looks wait for a server that hangs
const POINTS = 150; // five minutes
const RATE_OVER = 5; // looks, so that a short recording is no needle
const SOURCES = {
  embedded: "from an installed package",
  cache: "in the cache",
  folder: "a folder of the operator's",
  hub: "in the model hub's cache",
};
const FORGET = "Forget the API key";
const AUDIO_SECONDS = "asr_audio_done_seconds_total";

export class ServerView {
  #api;
  #keys;
  #say;
  #changed;
  #timer = 0;
  #looks = [];
  #busy = new Set();
  #parts = {};
  #charts = {
    speed: new Chart("Throughput", {
      write: (value) => `${value >= 10 ? Math.round(value) : value.toFixed(1)} ×`,
      points: POINTS,
      quiet: "seconds of audio a second",
    }),
    memory: new Chart("Memory", {
      write: (value) => size(value),
      points: POINTS,
      quiet: "arrays of the models",
    }),
  };

  /**
   * @param {{api: import("./api.js").Api, keys: import("./keys.js").Keys,
   *   say: (message: string) => void, changed: (cards: any[]) => void}} house
   */
  constructor({ api, keys, say, changed }) {
    [this.#api, this.#keys, this.#say, this.#changed] = [api, keys, say, changed];
    const part = (name, element) => (this.#parts[name] = element);
    const forget = () => {
      keys.forget();
      this.#models(); // which asks for another one
    };
    byId("server").append(
      el("h1", { tabindex: "-1" }, "Server"),
      part("health", el("p", { class: "health", role: "status" })),
      part("missing", el("ul", { class: "notes" })),
      el(
        "div",
        { class: "cards" },
        part("queue", el("section", { class: "card", "aria-label": "Queue" })),
        this.#charts.speed.element,
        this.#charts.memory.element,
      ),
      el("h2", {}, "Models"),
      part("wrong", el("p", { class: "wrong", role: "alert" })),
      part("models", el("div", { class: "models" })),
      part("key", el("p", {}, el("button", { type: "button", on: { click: forget } }, FORGET))),
    );
  }

  /** Look at the server, now and as long as this is what is shown. */
  show(shown) {
    clearInterval(this.#timer);
    if (!shown) return;
    this.#parts.wrong.textContent = "";
    const look = () => document.hidden || this.#look();
    this.#models();
    look();
    this.#timer = setInterval(look, LOOK_EVERY_MS);
  }

  async #look() {
    const about = { quiet: true, signal: AbortSignal.timeout(PATIENCE_MS) };
    try {
      const [queue, text] = await Promise.all([
        this.#api.json("queue-metrics", about),
        this.#api.text("metrics", about),
      ]);
      this.#queue(queue);
      this.#draw(numbers(text));
    } catch {
      // The page says above that the server cannot be reached.
    }
  }

  /** What /health says, as the page learns it anyway. */
  health({ status, reason, degraded = [], device }) {
    const well = status === "healthy";
    const { health, missing } = this.#parts;
    const said = well ? `Healthy, on ${device}` : `Not well: ${reason ?? "it cannot be reached"}`;
    if (health.textContent !== said) health.textContent = said;
    health.dataset.well = String(well && !degraded.length);
    missing.replaceChildren(...degraded.map((what) => el("li", {}, `Goes on without: ${what}`)));
  }

  #queue({ queue }) {
    const { requests_queued: waiting, requests_in_flight: running } = queue;
    const { gpu_concurrency: most, max_queue_size: room } = queue;
    const row = (value, of, what) =>
      el(
        "p",
        { class: "tally" },
        el("span", { class: "chart-value figures" }, value.toLocaleString("en")),
        el("span", { class: "quiet" }, ` ${what}, of ${of} at most`),
      );
    this.#parts.queue.replaceChildren(
      el("h2", {}, "Queue"),
      row(running, most, "in work"),
      row(waiting, room, "waiting"),
    );
  }

  #draw(now) {
    const audio = now.get(AUDIO_SECONDS) ?? 0;
    this.#looks = [...this.#looks, { at: performance.now(), audio }].slice(-RATE_OVER - 1);
    const first = this.#looks[0];
    const passed = (performance.now() - first.at) / 1000;
    const started = audio < first.audio; // another process: its counters begin again
    if (started) this.#looks = this.#looks.slice(-1);
    const speed = passed > 1 && !started ? (audio - first.audio) / passed : null;
    this.#charts.speed.add(speed);
    this.#charts.memory.add(now.get("whisperx_vram_allocated_bytes") ?? null);
  }

  async #models() {
    this.#parts.key.hidden = !this.#keys.known;
    try {
      const { data } = await this.#api.json("v1/models");
      this.#changed(data);
      this.#parts.key.hidden = !this.#keys.known;
      const real = data.filter((card) => !isAlias(card));
      this.#parts.models.replaceChildren(
        el("ul", {}, ...nearestFirst(real).map((card) => this.#model(card))),
        el("p", { class: "quiet small" }, count(real.length, "model")),
      );
    } catch (error) {
      this.#parts.wrong.textContent = error.message;
    }
  }

  #model(card) {
    const { id, loaded, size_bytes: disk, loaded_bytes: memory, source } = card;
    const busy = this.#busy.has(id);
    const doing = loaded ? "Unloading" : "Loading";
    const verb = loaded ? "Unload" : "Load";
    const where = disk ? (SOURCES[source] ?? "") : "to be fetched from the model hub";
    const about = [disk ? `${size(disk)} on disk` : "", where];
    if (loaded) about.push(memory ? `${size(memory)} in memory` : "in memory");
    const props = { type: "button", disabled: busy, "aria-label": `${verb} ${id}` };
    const turn = { click: () => this.#turn(card) };
    return el(
      "li",
      { data: { model: id, loaded: String(Boolean(loaded)) } },
      el("span", { class: "lamp", "aria-hidden": "true" }),
      el(
        "div",
        {},
        el("h3", {}, id, card.default && el("span", { class: "tag" }, "default")),
        el("p", { class: "quiet small" }, about.filter(Boolean).join(" · ")),
      ),
      el("button", { ...props, on: turn }, busy ? `${doing}…` : verb),
    );
  }

  /** Load a model, or free it. */
  async #turn({ id, loaded }) {
    this.#busy.add(id);
    this.#parts.wrong.textContent = "";
    await this.#models();
    try {
      const path = `api/ps/${id.split("/").map(encodeURIComponent).join("/")}`;
      await this.#api.response(path, { method: loaded ? "DELETE" : "POST" });
      this.#say(`${id} is ${loaded ? "unloaded" : "loaded"}`);
    } catch (error) {
      this.#parts.wrong.textContent = error.message;
    }
    this.#busy.delete(id);
    await this.#models();
    this.#parts.models.querySelector(`[data-model="${CSS.escape(id)}"] button`)?.focus();
  }
}
