// Two things that need a script: the device's theme before the first paint, and knowing that there is JavaScript.
(() => {
  "use strict";
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  const follow = () => {
    if (root.dataset.theme === "system") root.dataset.bsTheme = dark.matches ? "dark" : "light";
  };

  root.classList.add("js");
  follow();
  dark.addEventListener("change", follow);
})();
