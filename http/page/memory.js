/** Small things that outlive the page, as far as the browser lets it keep any. */

/** What was remembered under a name, or else `otherwise`. */
export function recall(name, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(`asr.${name}`) ?? "null") ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** Remember it; null forgets. */
export function remember(name, value) {
  try {
    if (value === null) localStorage.removeItem(`asr.${name}`);
    else localStorage.setItem(`asr.${name}`, JSON.stringify(value));
  } catch {
    // Storage is forbidden or full: it is only remembered for comfort.
  }
}
