function copied(field) {
  if (navigator.clipboard) return navigator.clipboard.writeText(field.value);
  // without a secure connection browsers have no clipboard
  field.select();
  return document.execCommand("copy") ? Promise.resolve() : Promise.reject(new Error("not copied"));
}

function render({ model, el }) {
  const frame = document.createElement("div"), words = document.createElement("span"), field = document.createElement("input");
  const copy = document.createElement("button"), show = document.createElement("button");
  const said = document.createElement("span");
  frame.className = "critnb-line";
  frame.dataset.lmSuppressShortcuts = "true";
  Object.assign(field, { type: "text", spellcheck: false, autocomplete: "off" });
  Object.assign(copy, { type: "button", textContent: "Copy", title: "copy this line; Explorer(state=\"...\") shows the same" });
  Object.assign(show, { type: "button", textContent: "Show", title: "show what the line in the box says (Enter)" });
  said.setAttribute("role", "status");
  words.textContent = model.get("label");
  field.setAttribute("aria-label", model.get("label"));
  frame.append(words, field, copy, show, said);
  el.append(frame);

  const redraw = () => { field.value = model.get("value"); };
  const ask = () => {
    said.textContent = "";
    if (field.value.trim() === model.get("value")) return;
    model.set("asked", field.value.trim() || " ");
    model.save_changes();
  };
  copy.addEventListener("click", () => copied(field).then(
    () => { said.textContent = "copied"; setTimeout(() => { said.textContent = ""; }, 2000); },
    () => { field.select(); said.textContent = "press Ctrl+C"; },
  ));
  show.addEventListener("click", ask);
  field.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") ask();
    if (event.key === "Escape") redraw();
  });
  field.addEventListener("focus", () => field.select());
  model.on("change:value", redraw);
  redraw();
  return () => model.off("change:value", redraw);
}

export default { render };
