for (const pair of document.querySelectorAll(".pair")) {
  const slider = pair.querySelector("input");
  const show = () => pair.style.setProperty("--at", slider.value + "%");
  slider.addEventListener("input", show);
  show();
}
