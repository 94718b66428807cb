// Saves clicks, nothing else: every page and form works without this file.
"use strict";

// A button beside each digest or note that copies it whole, also where it is shown shortened.
for (const element of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(element.dataset.copy || element.textContent.trim());
    button.textContent = "Copied";
  });
  element.after(button);
}

// A signature is given once: the button rests after the first click, and again when the page is
// shown anew from the browser's memory.
for (const form of document.querySelectorAll("form[method=post]")) {
  const rest = (resting) => {
    for (const button of form.querySelectorAll("button[type=submit]")) button.disabled = resting;
  };
  form.addEventListener("submit", () => rest(true));
  window.addEventListener("pageshow", () => rest(false));
}

// While a verification runs, its progress is asked for; at its end the page is drawn anew.
const watched = document.querySelector("[data-progress]");
if (watched) {
  const bar = watched.querySelector("progress");
  const percent = watched.querySelector("[data-percent]");
  const phases = watched.querySelectorAll(".phases li");
  const draw = (told) => {
    bar.value = told.percent;
    percent.textContent = told.percent;
    told.phases.forEach((phase, at) => {
      phases[at].className = phase.state;
      phases[at].querySelector(".soft").textContent = `${phase.state} ${phase.count}`;
    });
  };
  const ask = async () => {
    try {
      const answer = await fetch(watched.dataset.progress, { redirect: "error" });
      const told = await answer.json();
      if (told.state !== "running") return location.reload();
      draw(told);
    } catch {
      return location.reload();
    }
    setTimeout(ask, 1000);
  };
  setTimeout(ask, 500);
}

// Printed pages show what is folded away on screen.
window.addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
