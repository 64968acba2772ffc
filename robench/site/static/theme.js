"use strict";
// Runs before the page is drawn: the colours that were chosen last, else the system's.
(() => {
  const kept = () => { try { return localStorage.getItem("robench-theme"); } catch { return null; } };
  const dark = () => (kept() || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const show = () => { document.documentElement.dataset.theme = dark() ? "dark" : "light"; };
  show();
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    button.setAttribute("aria-pressed", String(dark()));
    button.addEventListener("click", () => {
      try { localStorage.setItem("robench-theme", dark() ? "light" : "dark"); } catch { /* a browser that keeps nothing */ }
      show();
      button.setAttribute("aria-pressed", String(dark()));
      document.dispatchEvent(new Event("robench-theme"));
    });
  });
})();
