/** Whether the server is there and well, said at the top of the page while it is not. */

import { byId } from "./dom.js";

const CALM_MS = 15_000;
const WORRIED_MS = 2000;

export class Pulse {
  #heard;
  #well = true;

  /** @param {(health: any) => void} heard */
  constructor(heard) {
    this.#heard = heard;
    this.#beat();
    document.addEventListener("visibilitychange", () => document.hidden || this.look());
  }

  async #beat() {
    if (!document.hidden) await this.look();
    setTimeout(() => this.#beat(), this.#well ? CALM_MS : WORRIED_MS);
  }

  /** Look now. */
  async look() {
    const health = await asked();
    this.#heard(health);
    const well = health.status === "healthy";
    if (well && !this.#well) this.#say("");
    if (!well) {
      const reason = health.reason ? `The server is not well: ${health.reason}` : "";
      this.#say(reason || "The server cannot be reached. It may be restarting; this page waits for it.");
    }
    this.#well = well;
  }

  #say(message) {
    const place = byId("trouble");
    place.hidden = !message;
    if (place.textContent !== message) place.textContent = message;
  }
}

/** An unhealthy server says so with status 503, and why; one that is gone says nothing. */
async function asked() {
  try {
    return await (await fetch("health", { cache: "no-store" })).json();
  } catch {
    return { status: "unreachable", reason: null, degraded: [] };
  }
}
