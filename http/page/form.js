/** A recording as the form that asks for its transcript. */

/** To be answered while the page stays: with events. */
export function streamForm(recording) {
  const fields = formOf(recording);
  for (const name of ["stream", "progress"]) fields.append(name, "true");
  fields.append("timestamp_granularities[]", "word");
  return withFile(fields, recording);
}

/** To be kept by the server until it is done, whoever stays. */
export function jobForm(recording) {
  const fields = formOf(recording);
  fields.append("task", recording.options.task || "transcribe");
  fields.append("priority", "interactive");
  return withFile(fields, recording);
}

function formOf({ options: { model, language, prompt, speakers } }) {
  const fields = new FormData();
  const add = (name, value) => value && fields.append(name, value);
  add("model", model);
  add("language", language);
  add("prompt", prompt);
  add("diarize", speakers && "true");
  add("num_speakers", speakers === "some" ? "" : speakers);
  return fields;
}

/** The file comes last: what is wrong with the rest is known before it is sent. */
function withFile(fields, { file, name }) {
  fields.append("file", file, name);
  return fields;
}
