(function (id, spans) {
  "use strict";
  const root = document.getElementById(id);
  root.classList.add("js");

  function start() {
    const all = (selector) => [...root.querySelectorAll(selector)];
    const slider = root.querySelector(".score input");
    const folds = all(".fold");
    const rows = all(".row");
    const shown = spans.map(() => true);
    let parts = null;

    // Shows and hides spans by label, verdict and score.
    function filter() {
      const labels = unchecked("label");
      const verdicts = unchecked("verdict");
      const least = slider && +slider.value > +slider.min ? +slider.value : -Infinity;
      let count = 0;
      let total = 0;
      parts ??= partsOfSpans();
      spans.forEach(([label, score, verdict, one], span) => {
        const show =
          !labels.has(label) && !verdicts.has(verdict) && (score === null || score >= least);
        total += one;
        if (show) count += one;
        if (show === shown[span]) return;
        shown[span] = show;
        for (const part of parts[span]) part.classList.toggle("off", !show);
      });
      if (slider) root.querySelector("output").value = Number(slider.value).toFixed(2);
      root.querySelector(".status").textContent = `${count} of ${total} spans shown.`;
      fold();
    }

    function partsOfSpans() {
      const found = spans.map(() => []);
      for (const part of all(".bar, .chip, .mark, .under, sup, li")) {
        found[/ s(\d+)/.exec(part.className)[1]].push(part);
      }
      return found;
    }

    function unchecked(kind) {
      return new Set(all(`input[data-${kind}]:not(:checked)`).map((box) => +box.dataset[kind]));
    }

    // Hides the rows of folded blocks, but not of those that are filtered out: nobody could open
    // them. The browser's search finds hidden rows, too.
    function fold() {
      const hidden = new Set();
      for (const box of folds) {
        box.setAttribute("aria-expanded", !box.checked);
        if (!box.checked || !shown[box.dataset.span]) continue;
        for (let row = +box.dataset.first; row <= box.dataset.last; row++) hidden.add(row);
      }
      rows.forEach((row, number) => {
        if (hidden.has(number) === row.hasAttribute("hidden")) return;
        if (hidden.has(number)) row.setAttribute("hidden", "until-found");
        else row.removeAttribute("hidden");
        row.parentNode.classList.toggle("partly", row.parentNode.querySelector("[hidden]"));
      });
    }

    function setFolds(checked, which = () => true) {
      for (const box of folds.filter(which)) box.checked = checked;
      fold();
    }

    function reveal(element) {
      const row = rows.indexOf(element.closest(".row"));
      setFolds(false, (box) => row >= +box.dataset.first && row <= box.dataset.last);
    }

    // Goes to the block after or before the one that has the focus, or the top of the window.
    function step(forward) {
      const chips = all(".row:not([hidden]) .chip:not(.off)");
      const at = chips.findIndex((chip) => chip.contains(document.activeElement));
      const top = (chip) => chip.getBoundingClientRect().top;
      const below = chips.findIndex((chip) => top(chip) > 1);
      const next = forward
        ? at >= 0 ? at + 1 : below
        : (at >= 0 ? at : below >= 0 ? below : chips.length) - 1;
      if (chips[next]) jump(chips[next]);
    }

    // Twice: rows that come near the window are drawn only then, and may turn out to be taller.
    function jump(place) {
      const scroll = () => place.scrollIntoView({ block: "start" });
      place.focus({ preventScroll: true });
      scroll();
      requestAnimationFrame(() => requestAnimationFrame(scroll));
    }

    // The text as it is: rows that are cut out of a long line are put together again. Between two
    // documents there is an empty line.
    function copy(event) {
      const selection = document.getSelection();
      if (selection.isCollapsed) return;
      const range = selection.getRangeAt(0);
      const texts = all(".text").filter((text) => range.intersectsNode(text));
      if (!texts.length) return;
      const parts = texts.map((text, at) => {
        const isNext = at > 0 && text.closest("section") !== texts[at - 1].closest("section");
        return (isNext ? "\n\n" : "") + within(text, range);
      });
      event.clipboardData.setData("text/plain", parts.join(""));
      event.preventDefault();
    }

    function within(text, range) {
      const part = document.createRange();
      part.selectNodeContents(text);
      if (text.contains(range.startContainer)) {
        part.setStart(range.startContainer, range.startOffset);
      }
      if (text.contains(range.endContainer)) part.setEnd(range.endContainer, range.endOffset);
      return part.toString();
    }

    let waiting = false;
    function filterSoon() {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        filter();
      });
    }

    function follow(event, link) {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // in a tab or window of its own
      const place = document.getElementById(link.getAttribute("href").slice(1));
      if (place.closest(".row")) reveal(place);
      jump(place);
      event.preventDefault();
      // In a notebook, the address is the notebook's; in a frame without one there is none to change.
      const hasAddress = root.matches(".whole") && location.protocol !== "about:";
      if (hasAddress) history.pushState(null, "", link.getAttribute("href"));
    }

    function click(event) {
      const { target } = event;
      const link = target.closest("a[href^='#']");
      if (link) follow(event, link);
      const every = target.closest(".every button");
      if (every) {
        const boxes = every.closest("fieldset").querySelectorAll("input");
        for (const box of boxes) box.checked = every.matches(".all");
        filter();
      }
      if (target.matches(".fold-all")) setFolds(true);
      if (target.matches(".unfold-all")) setFolds(false);
    }

    function press(event) {
      const { key, target } = event;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      // Of a block that has the focus itself, too; its box takes Space without this.
      const box = target.closest(".chip")?.querySelector(".fold");
      if (box && (key === "Enter" || (key === " " && target !== box))) {
        box.click();
        event.preventDefault();
      }
      if (target.matches("textarea, select, [contenteditable], input:not([type=checkbox])")) return;
      if (key === "n" || key === "p") step(key === "n");
    }

    root.addEventListener("input", ({ target }) => {
      if (target.matches(".fold")) fold();
      else if (target === slider) filterSoon();
      else filter();
    });
    root.addEventListener("click", click);
    root.addEventListener("copy", copy);
    root.addEventListener("beforematch", ({ target }) => reveal(target));
    // In a notebook, keys are the notebook's unless something here has the focus.
    (root.matches(".whole") ? document : root).addEventListener("keydown", press);
    // As in the style sheet: where the panel is above the text, it should leave room for it.
    if (root.clientWidth < 960) for (const list of all(".outline")) list.open = false;
    filter();
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
});
