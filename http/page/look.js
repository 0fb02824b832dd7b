/** Light or dark: as the system has it, until somebody chooses. */

import { attribute, byId } from "./dom.js";

const NEXT = { auto: "light", light: "dark", dark: "auto" };
const NAMES = { auto: "as the system has them", light: "light", dark: "dark" };

/** Have the button in the head go through the three. */
export function offerThemes() {
  show(document.documentElement.dataset.theme ?? "auto");
  byId("theme").addEventListener("click", () => {
    const theme = NEXT[document.documentElement.dataset.theme ?? "auto"];
    attribute(document.documentElement, "data-theme", theme === "auto" ? null : theme);
    try {
      // theme.js reads it before anything else is there: so it is no part of memory.js
      if (theme === "auto") localStorage.removeItem("theme");
      else localStorage.setItem("theme", theme);
    } catch {
      // Storage is forbidden: it holds as long as the page.
    }
    show(theme);
    document.dispatchEvent(new Event("themechange"));
  });
}

function show(theme) {
  byId("theme").setAttribute("aria-label", `Colours: ${NAMES[theme]}`);
  byId("theme").title = `Colours: ${NAMES[theme]}`;
  byId("theme").querySelector("use").setAttribute("href", `#i-${theme}`);
}
