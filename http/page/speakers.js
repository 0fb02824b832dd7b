/** Who speaks: everybody's mark, and the name that the person gives them. */

import { el, icon } from "./dom.js";
import { nameOf } from "./transcript.js";

// As many as page.css has; further speakers begin again with the first.
export const SPEAKER_COLOURS = 8;
const NAME_MAX = 80;

/** A disc with the speaker's initials: the colour never stands alone. */
export function disc(transcript, speaker, speakers) {
  const number = speakers.indexOf(speaker);
  const name = nameOf(transcript, speaker);
  const told = /^Speaker (\S{1,2})$/.exec(name)?.[1];
  const data = { speaker: String(number % SPEAKER_COLOURS) };
  return el("span", { class: "disc", "aria-hidden": "true", data }, told ?? initials(name));
}

/** The first letters of the first name and the last. */
function initials(name) {
  const names = name.split(" ");
  const both = names.length > 1 ? [names[0], names.at(-1)] : names;
  return both.map((each) => [...each][0].toUpperCase()).join("");
}

/** A button with a speaker's name, which asks for another one. */
export function speakerButton(transcript, speaker, speakers) {
  const name = nameOf(transcript, speaker);
  return el(
    "button",
    {
      ...{ type: "button", class: "who", data: { rename: speaker } },
      ...{ title: `Rename ${name}`, "aria-label": `${name}, rename` },
    },
    disc(transcript, speaker, speakers),
    el("span", { dir: "auto" }, name),
    icon("pen"),
  );
}

/** Ask for a speaker's name; null if it is to stay. */
export function askForName(transcript, speaker) {
  const field = el("input", {
    ...{ type: "text", name: "name", value: nameOf(transcript, speaker), maxlength: NAME_MAX },
    ...{ dir: "auto", autocomplete: "off", required: true, autofocus: true },
  });
  const cancel = el("button", { type: "button", on: { click: () => dialog.close("") } }, "Cancel");
  const dialog = el(
    "dialog",
    { class: "panel small", "aria-labelledby": "name-title" },
    el("h2", { id: "name-title" }, "Who is this?"),
    el(
      "form",
      { method: "dialog" },
      el("label", {}, "Name, in the whole transcript", field),
      el(
        "div",
        { class: "row end" },
        cancel,
        el("button", { class: "primary", value: "rename" }, "Rename"),
      ),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  field.select();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      const name = field.value.replace(/\s+/g, " ").trim();
      resolve(dialog.returnValue === "rename" && name ? name : null);
    });
  });
}
