// What needs a script: the device's theme before the first paint, paper that is never dark, copying, one box for many,
// and that there is JavaScript.
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

  // Copies a script that is to be pasted elsewhere; where the browser keeps its clipboard to itself, selects it.
  document.addEventListener("click", async (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-copies]") : null;
    const source = button && document.getElementById(button.dataset.copies);
    if (!source) return;
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.querySelector("span").textContent = button.dataset.copied;
    } catch {
      window.getSelection().selectAllChildren(source);
    }
  });

  // One box that ticks all of its form's boxes of a name; it follows when they are ticked one by one.
  document.addEventListener("change", (event) => {
    const box = event.target;
    if (!(box instanceof HTMLInputElement) || box.type !== "checkbox" || !box.form) return;
    const all = box.dataset.ticks ? box : box.form.querySelector(`[data-ticks="${box.name}"]`);
    if (!all) return;
    const boxes = [...box.form.querySelectorAll(`input[name="${all.dataset.ticks}"]`)];
    if (box === all) for (const one of boxes) one.checked = all.checked;
    const ticked = boxes.filter((one) => one.checked).length;
    all.checked = ticked > 0 && ticked === boxes.length;
    all.indeterminate = ticked > 0 && ticked < boxes.length;
  });

  root.classList.add("js");
  follow();
  dark.addEventListener("change", follow);
})();
