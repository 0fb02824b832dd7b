// Runs before the first paint, so that nobody is dazzled by a theme that they did not choose.
try {
  const chosen = localStorage.getItem("theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
} catch {
  // Storage is forbidden here: the system's theme it is.
}
