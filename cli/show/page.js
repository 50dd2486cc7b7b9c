const applyFilter = () => {
  const wanted = document.getElementById("filter")?.value.trim().toLowerCase() ?? "";
  for (const model of document.querySelectorAll("details[data-name]"))
    model.hidden = !model.dataset.name.includes(wanted);
};
document.getElementById("filter")?.addEventListener("input", applyFilter);
