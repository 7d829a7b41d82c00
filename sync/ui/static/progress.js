// Asks how far a command is, once a second, and shows the page again when it has ended.
"use strict";
const place = document.getElementById("progress");
async function look() {
  try {
    const answer = await fetch(place.dataset.state, { credentials: "same-origin" });
    const state = await answer.json();
    if (!state.works) { location.reload(); return; }
    if (state.changes) {
      place.querySelector("progress").max = state.changes;
      place.querySelector("progress").value = state.answered;
      place.querySelector("output").textContent =
        `${state.answered.toLocaleString("en")} of ${state.changes.toLocaleString("en")} changes written`;
    }
  } catch { /* the server is gone, or busy: ask again */ }
  setTimeout(look, 1000);
}
if (place) setTimeout(look, 1000);
