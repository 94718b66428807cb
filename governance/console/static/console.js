// Saves clicks, nothing else: every page and form works without this file.
"use strict";

// A button beside each digest or note that copies it whole.
for (const element of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(element.textContent.trim());
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

// Printed pages show what is folded away on screen.
window.addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
