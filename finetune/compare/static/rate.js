// Keys for the buttons; the page works without this file.
"use strict";

let sent = false;

document.addEventListener("keydown", (event) => {
  // A key held down must not judge the next question too.
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input")) return;
  const button = document.querySelector(`[data-key~="${CSS.escape(event.key)}"]:enabled`);
  if (button) {
    event.preventDefault();
    button.click();
  }
});

document.addEventListener("submit", (event) => {
  if (sent) event.preventDefault();
  sent = true;
});
addEventListener("pageshow", () => (sent = false));
