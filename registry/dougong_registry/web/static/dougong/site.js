// Small comforts; every page works without them: chart tooltips, copy buttons, a theme that is kept.
"use strict";

const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
tip.setAttribute("aria-hidden", "true");
document.body.append(tip);

// Move native titles aside, or the browser would show a second tooltip.
function adopt(root) {
  for (const title of root.querySelectorAll("svg.plot > title, svg.plot .hit > title")) {
    title.parentNode.dataset.tip = title.textContent;
    title.remove();
  }
  for (const block of root.querySelectorAll(".copy:not(:has(button))")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(block.querySelector("code").textContent.trim());
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
    if (navigator.clipboard) block.append(button);
  }
}

document.addEventListener("pointermove", (event) => {
  const mark = event.target.closest?.(".hit[data-tip]");
  tip.hidden = !mark;
  if (!mark) return;
  tip.textContent = mark.dataset.tip;
  const box = tip.getBoundingClientRect();
  const x = Math.min(event.clientX + 14, innerWidth - box.width - 8);
  const y = event.clientY + 18 + box.height > innerHeight ? event.clientY - box.height - 12 : event.clientY + 18;
  tip.style.left = `${Math.max(x, 8)}px`;
  tip.style.top = `${y}px`;
});
document.addEventListener("htmx:afterSwap", () => adopt(document));
adopt(document);

// The radio buttons choose the theme by themselves; this only remembers the choice.
const themes = document.querySelectorAll("input[name=theme]");
for (const choice of themes) {
  choice.checked = choice.value === (localStorage.getItem("theme") ?? "auto");
  choice.addEventListener("change", () => localStorage.setItem("theme", choice.value));
}
