// Asks for each path of the table and shows the Cache-Status that the edge answered with.
const rows = [...document.querySelectorAll("#paths tr")];

async function ask(row) {
  const path = row.querySelector("a").getAttribute("href");
  const response = await fetch(path, { cache: "no-store" });
  await response.arrayBuffer();
  row.lastElementChild.textContent = response.headers.get("cache-status") ?? "(no Cache-Status: not through an edge)";
}

document.querySelector("#again").addEventListener("click", () => rows.forEach(ask));
