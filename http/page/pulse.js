/** Whether the server is there and well, said at the top of the page while it is not. */

import { byId } from "./dom.js";

const CALM_MS = 15_000;
const WORRIED_MS = 2000;
const PATIENCE_MS = 10_000; // a server that hangs says nothing
const GONE = "The server cannot be reached. It may be restarting; this page waits for it.";

export class Pulse {
  #heard;
  #back;
  #well = true;
  #timer = 0;

  /**
   * @param {{heard: (health: any) => void, back: () => void}} tell  `back`: it is well again
   */
  constructor({ heard, back }) {
    [this.#heard, this.#back] = [heard, back];
    this.look();
    document.addEventListener("visibilitychange", () => this.look());
  }

  /** Look now, and from now on every now and then, as long as somebody sees the page. */
  async look() {
    clearTimeout(this.#timer);
    if (document.hidden) return;
    const health = await asked();
    clearTimeout(this.#timer);
    const well = health.status === "healthy";
    this.#timer = setTimeout(() => this.look(), well ? CALM_MS : WORRIED_MS);
    this.#heard(health);
    if (well && !this.#well) {
      this.#say("");
      this.#back();
    }
    if (!well) {
      const reason = health.reason ? `The server is not well: ${health.reason}` : "";
      this.#say(reason || GONE);
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
    const signal = AbortSignal.timeout(PATIENCE_MS);
    return await (await fetch("health", { cache: "no-store", signal })).json();
  } catch {
    return { status: "unreachable", reason: null, degraded: [] };
  }
}
