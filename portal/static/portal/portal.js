// What needs a script: the device's theme before the first paint, paper that is never dark, and that there is JavaScript.
(() => {
  "use strict";
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  const follow = () => {
    if (root.dataset.theme === "system") root.dataset.bsTheme = dark.matches ? "dark" : "light";
  };

  // Printers leave out backgrounds, and light words on white paper are not read.
  let before = null;
  window.addEventListener("beforeprint", () => {
    before = root.dataset.bsTheme;
    root.dataset.bsTheme = "light";
  });
  window.addEventListener("afterprint", () => {
    if (before) root.dataset.bsTheme = before;
  });

  root.classList.add("js");
  follow();
  dark.addEventListener("change", follow);
})();
