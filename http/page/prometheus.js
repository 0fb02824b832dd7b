/** Numbers out of Prometheus' text format, as far as the charts read it: sums by name. */

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{[^}]*\})? (\S+)/;

/**
 * Each metric's value by its name, that of all its labels together.
 *
 * @param {string} text
 * @returns {Map<string, number>}
 */
export function numbers(text) {
  const found = new Map();
  for (const line of text.split("\n")) {
    const [, name, value] = SAMPLE.exec(line) ?? [];
    if (name) found.set(name, (found.get(name) ?? 0) + Number(value));
  }
  return found;
}
