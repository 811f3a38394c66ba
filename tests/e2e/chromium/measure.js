// Writes into the title what the test asserts, as JSON.
addEventListener("load", () => {
  const elements = [...document.body.querySelectorAll("*")];
  const named = (element) =>
    element.localName + [...element.attributes].map((one) => " " + one.name).join("");
  const root = document.documentElement;
  const measured = {
    window: innerWidth,
    width: root.scrollWidth,
    height: Math.ceil(document.body.getBoundingClientRect().height),
    // A table may scroll by itself, and then the page is no wider.
    outside: elements
      .filter((one) => one.scrollWidth > one.clientWidth && one.clientWidth > 0
        || one.getBoundingClientRect().right > innerWidth)
      .map((one) => one.outerHTML.slice(0, 200)),
    elements: [...new Set(elements.map(named))].sort(),
    links: [...document.links].map((one) => one.href),
    alerts: [...document.querySelectorAll(".alert")].map((one) => one.classList[1]),
    details: document.querySelectorAll("details").length,
    open_details: document.querySelectorAll("details[open]").length,
    text: document.body.innerText.replaceAll("\u00a0", " "),
  };
  document.title = encodeURIComponent(JSON.stringify(measured));
});
