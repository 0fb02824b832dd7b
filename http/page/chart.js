/** A line of the last minutes, with its newest and its highest value in words. */

import { el, svg } from "./dom.js";

const [WIDTH, HEIGHT] = [300, 90];

export class Chart {
  #values = [];
  #most;
  #write;
  #title;
  #line = svg("path", { class: "chart-line", "vector-effect": "non-scaling-stroke" });
  #area = svg("path", { class: "chart-area" });
  #picture = svg(
    "svg",
    {
      ...{ viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" },
      ...{ role: "img", "aria-label": "Nothing yet" },
    },
    this.#area,
    this.#line,
  );
  #value = el("span", { class: "chart-value figures" });
  #top = el("span", { class: "quiet small figures" });

  /**
   * @param {string} title
   * @param {{write: (value: number) => string, points: number, quiet: string}} look
   *   points: how many values are shown; quiet: what the line is of
   */
  constructor(title, { write, points, quiet }) {
    [this.#title, this.#write, this.#most] = [title, write, points];
    this.element = el(
      "figure",
      { class: "card chart" },
      el("figcaption", {}, el("h2", {}, title), this.#value),
      this.#picture,
      el("p", { class: "row between quiet small" }, el("span", {}, quiet), this.#top),
    );
  }

  /** One value more; null if there is none for this moment. */
  add(value) {
    if (value === null) return;
    this.#values = [...this.#values, value].slice(-this.#most);
    const highest = Math.max(...this.#values);
    const step = WIDTH / (this.#most - 1);
    const from = WIDTH - (this.#values.length - 1) * step;
    const place = (value, i) => {
      const share = highest ? value / highest : 0;
      return `${(from + i * step).toFixed(1)} ${(HEIGHT - 2 - share * (HEIGHT - 8)).toFixed(1)}`;
    };
    const line = this.#values.map(place).join("L");
    this.#line.setAttribute("d", `M${line}`);
    this.#area.setAttribute("d", `M${line}L${WIDTH} ${HEIGHT}L${from.toFixed(1)} ${HEIGHT}Z`);
    this.#value.textContent = this.#write(value);
    this.#top.textContent = `highest ${this.#write(highest)}`;
    const label = `${this.#title}: ${this.#write(value)}, highest ${this.#write(highest)}`;
    this.#picture.setAttribute("aria-label", label);
  }
}
